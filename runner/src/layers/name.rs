//! Names of tar entries: where an entry belongs, or what it takes away from lower layers. Pure.
//! Source: OCI image specification 1.1, `layer.md`, "Representing Changes".

use crate::unpack::path::{MemberPath, split};
use crate::unpack::{Fault, Limits};

use super::Handling;

const WHITEOUT: &[u8] = b".wh.";
/// The beginning of names that are AUFS's own; one of them is in use still.
const META: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What an entry's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It belongs there.
    At(MemberPath),
    /// What lower layers have there is gone.
    Whiteout(MemberPath),
    /// All that lower layers have in that directory is gone.
    Opaque(MemberPath),
    /// It means nothing any more.
    Leftover,
}

/// The place of an entry. In image layers names may be absolute: they start at the image's root.
pub(super) fn place(name: &[u8], handling: Handling, limits: &Limits) -> Result<Place, Fault> {
    let path = path(name, handling, limits)?;
    if handling == Handling::Package {
        return Ok(Place::At(path));
    }
    if path
        .as_bytes()
        .split(|byte| *byte == b'/')
        .any(|part| part.starts_with(META) && part != OPAQUE)
    {
        return Ok(Place::Leftover);
    }
    let (parent, last) = split(path.as_bytes());
    if parent.is_some_and(|parent| {
        parent.split(|byte| *byte == b'/').any(|part| part.starts_with(WHITEOUT))
    }) {
        return Err(Fault::Name { rule: "has a whiteout as one of its directories" });
    }
    match last.strip_prefix(WHITEOUT) {
        None => Ok(Place::At(path)),
        Some(_) if last == OPAQUE => Ok(Place::Opaque(joined(parent, b"", limits)?)),
        Some(b"" | b"." | b"..") => Err(Fault::Name { rule: "is a whiteout of nothing" }),
        Some(hidden) => Ok(Place::Whiteout(joined(parent, hidden, limits)?)),
    }
}

/// A name as a path below the root. `.` is the root.
pub(super) fn path(name: &[u8], handling: Handling, limits: &Limits) -> Result<MemberPath, Fault> {
    let slashes = name.iter().take_while(|byte| **byte == b'/').count();
    let name = if handling == Handling::Image && slashes > 0 {
        [b"./", &name[slashes..]].concat()
    } else {
        name.to_vec()
    };
    // What ends in '.' is a directory.
    let dotted = name == b"." || name.ends_with(b"/.");
    MemberPath::new(&if dotted { [&name[..], b"/"].concat() } else { name }, limits)
}

fn joined(parent: Option<&[u8]>, name: &[u8], limits: &Limits) -> Result<MemberPath, Fault> {
    MemberPath::new(&[parent.unwrap_or(b"."), b"/", name].concat(), limits)
}

#[cfg(test)]
mod tests {
    use super::{Place, place};
    use crate::layers::Handling::{self, Image, Package};
    use crate::unpack::Limits;

    fn said(name: &str, handling: Handling) -> String {
        let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        match place(name.as_bytes(), handling, &Limits::default()) {
            Ok(Place::At(path)) => text(path.as_bytes()),
            Ok(Place::Whiteout(path)) => "-".to_owned() + &text(path.as_bytes()),
            Ok(Place::Opaque(path)) => text(path.as_bytes()) + "/*",
            Ok(Place::Leftover) => "leftover".to_owned(),
            Err(_) => "refused".to_owned(),
        }
    }

    #[test]
    fn names_in_layers() {
        let cases = [
            ("a/b", "a/b"),
            ("./a/", "a"),
            ("/a/b", "a/b"),
            ("//a", "a"),
            (".", ""),
            ("/", ""),
            ("./", ""),
            ("a/.", "a"),
            ("a/.wh.b", "-a/b"),
            (".wh.b", "-b"),
            ("a/.wh..wh..opq", "a/*"),
            (".wh..wh..opq", "/*"),
            (".wh..wh.plnk", "leftover"),
            (".wh..wh.plnk/1.2", "leftover"),
            ("a/.wh..wh.aufs", "leftover"),
            ("a/.wh.", "refused"),
            ("a/.wh...", "refused"),
            (".wh.a/b", "refused"),
            ("a/.wh.b/.wh.c", "refused"),
            ("../a", "refused"),
            ("/../a", "refused"),
            ("a/../b", "refused"),
            ("", "refused"),
        ];
        for (name, expected) in cases {
            assert_eq!(said(name, Image), expected, "{name}");
        }
    }

    #[test]
    fn names_in_packages() {
        for (name, expected) in
            [("./a/", "a"), (".", ""), ("a/.wh.b", "a/.wh.b"), ("/a", "refused")]
        {
            assert_eq!(said(name, Package), expected, "{name}");
        }
    }
}
