//! Names of entries as paths below a directory. Pure; every rule that refuses a name is here.

use super::{error::Fault, limits::Limits};

/// A path that stays below the directory it is joined to: relative, without empty, `.` or `..`
/// components and without NUL, within the limits. Empty for the directory itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MemberPath(Box<[u8]>);

impl MemberPath {
    /// Checks `name` and takes out what does not change the path: empty components, `.`, and the
    /// slash at the end of a directory's name. `..` is refused even where it would stay inside.
    pub(crate) fn new(name: &[u8], limits: &Limits) -> Result<Self, Fault> {
        spelled(name)?;
        limit("bytes in its name", name.len(), limits.path_bytes)?;
        let mut path = Vec::with_capacity(name.len());
        let mut depth = 0;
        for component in name.split(|byte| *byte == b'/') {
            if matches!(component, b"" | b".") {
                continue;
            }
            checked(component, limits)?;
            depth += 1;
            if depth > 1 {
                path.push(b'/');
            }
            path.extend_from_slice(component);
        }
        limit("directory levels in its name", depth, limits.depth)?;
        Ok(Self(path.into_boxed_slice()))
    }

    /// The path; components are separated by single slashes.
    pub(crate) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What can be said about a name without taking it apart.
fn spelled(name: &[u8]) -> Result<(), Fault> {
    let rule = match name {
        [] => "is empty",
        [b'/', ..] => "is absolute instead of relative",
        _ if name.contains(&0) => "contains a NUL byte",
        [b'.'] | [.., b'/', b'.'] => "ends in '.'",
        _ => return Ok(()),
    };
    Err(Fault::Name { rule })
}

fn checked(component: &[u8], limits: &Limits) -> Result<(), Fault> {
    if component == b".." {
        return Err(Fault::Name { rule: "contains '..', which could leave the directory" });
    }
    limit("bytes in one component of its name", component.len(), limits.name_bytes)
}

fn limit(what: &'static str, found: usize, allowed: u64) -> Result<(), Fault> {
    let found = found as u64;
    if found > allowed { Err(Fault::Limit { what, found, allowed }) } else { Ok(()) }
}

/// The directory part and the last component of a path.
pub(crate) fn split(path: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (Some(&path[..slash]), &path[slash + 1..]),
        None => (None, path),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MemberPath, split};
    use crate::unpack::{error::Fault, limits::Limits};

    fn path(name: &[u8]) -> Result<Vec<u8>, Fault> {
        MemberPath::new(name, &Limits::default()).map(|path| path.as_bytes().to_vec())
    }

    #[test]
    fn what_does_not_change_the_path_is_taken_out() {
        for name in ["a/b", "a/b/", "./a/b", "a//b", "a/./b//", "././a/b"] {
            assert_eq!(path(name.as_bytes()).unwrap(), b"a/b", "{name}");
        }
        assert_eq!(path(b"./").unwrap(), b"");
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["C:\\x", "...", "..a", "a..", " ", "-", "~", ".wh.x", "a\nb", "\u{fffd}"] {
            assert_eq!(path(name.as_bytes()).unwrap(), name.as_bytes());
        }
        assert_eq!(path(b"\xff\xfe").unwrap(), b"\xff\xfe");
    }

    #[test]
    fn what_would_leave_the_directory_is_refused() {
        let bad =
            ["", "/", "/a", "//a", "..", "../a", "a/..", "a/../b", "./../a", ".", "a/.", "a\0b"];
        for name in bad {
            assert!(matches!(path(name.as_bytes()), Err(Fault::Name { .. })), "{name:?}");
        }
    }

    #[test]
    fn limits_are_inclusive() {
        let long = "x".repeat(255);
        assert!(path(long.as_bytes()).is_ok());
        assert!(matches!(path(format!("{long}x").as_bytes()), Err(Fault::Limit { .. })));
        assert!(path("d/".repeat(256).as_bytes()).is_ok());
        assert!(matches!(path("d/".repeat(257).as_bytes()), Err(Fault::Limit { .. })));
        let longest = format!("{}{}", format!("{long}/").repeat(15), "x".repeat(255));
        assert!(path(longest.as_bytes()).is_ok());
        assert!(matches!(path(format!("{longest}/").as_bytes()), Err(Fault::Limit { .. })));
    }

    #[test]
    fn paths_split_at_the_last_slash() {
        assert_eq!(split(b"a/b/c"), (Some(&b"a/b"[..]), &b"c"[..]));
        assert_eq!(split(b"c"), (None, &b"c"[..]));
    }

    proptest! {
        #[test]
        fn no_accepted_path_leaves_the_directory(name in "[./a\\\\\0]{0,12}") {
            if let Ok(path) = path(name.as_bytes()) {
                prop_assert!(!path.starts_with(b"/") && !path.ends_with(b"/") && !path.contains(&0));
                let odd = |part: &[u8]| matches!(part, b"" | b"." | b"..");
                prop_assert!(path.is_empty() || !path.split(|byte| *byte == b'/').any(odd));
            }
        }
    }
}
