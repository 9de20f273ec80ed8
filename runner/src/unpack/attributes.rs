//! What an entry is and how it will be seen: kind, permissions, time of modification. Pure.
//! Sources: APPNOTE 4.4.2 (host), 4.4.6 (date and time), 4.4.15 (external attributes); the upper
//! half of the latter is `st_mode` on Unix hosts, by Info-ZIP's convention.

use super::error::Fault;

/// Hosts whose external attributes hold a Unix mode: Unix, macOS.
const UNIX_HOSTS: [u8; 2] = [3, 19];

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; its contents are the target.
    Link,
}

/// What a header says about an entry's kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nature {
    /// The upper byte of "version made by".
    pub(super) host: u8,
    /// The external attributes.
    pub(super) external: u32,
    /// Whether the name ends in a slash.
    pub(super) slash: bool,
    /// Whether there are contents.
    pub(super) contents: bool,
}

impl Nature {
    /// Kind and permissions. A name with a slash at its end is a directory and nothing else is.
    pub(super) fn resolve(self) -> Result<(Kind, u32), Fault> {
        let mode = if UNIX_HOSTS.contains(&self.host) { self.external >> 16 } else { 0 };
        let kind = self.kind(mode >> 12)?;
        Ok((kind, permissions(kind, mode)))
    }

    /// `format` is the upper four bits of `st_mode`; 0 means that none was recorded.
    fn kind(self, format: u32) -> Result<Kind, Fault> {
        match (format, self.slash) {
            (0 | 0o04, true) if self.contents => Err(odd("a directory with contents")),
            (0 | 0o04, true) => Ok(Kind::Directory),
            (0 | 0o10, false) => Ok(Kind::File),
            // Info-ZIP packs what it reads from a pipe under the mode of that pipe.
            (0o01, false) if self.contents => Ok(Kind::File),
            (0o12, false) => Ok(Kind::Link),
            (0o04, false) => Err(odd("a directory whose name does not end in '/'")),
            (0o10 | 0o12, true) => Err(odd("a file whose name ends in '/'")),
            _ => Err(odd("a device, pipe, socket or other special file")),
        }
    }
}

/// What is kept of a Unix mode: the owner's bits and read and execute for the rest; never set-uid,
/// set-gid or sticky. Everybody can read, and execute what anybody may execute, because the
/// function's user is not the one who unpacks. 0 means that no mode was recorded.
pub(crate) fn permissions(kind: Kind, mode: u32) -> u32 {
    let executable = kind == Kind::Directory || mode & 0o111 != 0;
    let floor = if executable { 0o555 } else { 0o444 };
    let recorded = if mode == 0 { 0o644 } else { mode };
    recorded & 0o755 | floor
}

fn odd(what: &str) -> Fault {
    Fault::Unsupported { what: what.to_owned() }
}

/// Seconds since the epoch of an MS-DOS date and time, which has no zone and is taken as UTC. What
/// is no date becomes the earliest one, 1980-01-01.
pub(super) fn dos_time(date: u16, time: u16) -> i64 {
    let (year, month, day) = (i64::from(date >> 9) + 1980, (date >> 5) & 15, date & 31);
    if !(1..=12).contains(&month) || day == 0 {
        return EPOCH_1980;
    }
    let (hour, minute, second) = (time >> 11, (time >> 5) & 63, (time & 31) * 2);
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    days(year, i64::from(month), i64::from(day)) * 86_400 + seconds
}

const EPOCH_1980: i64 = 315_532_800;

/// Days from 1970-01-01 to a Gregorian date. Years start in March here, so that the leap day is the
/// last one.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::{EPOCH_1980, Kind, Nature, dos_time};

    fn unix(mode: u32, slash: bool, contents: bool) -> Option<(Kind, u32)> {
        Nature { host: 3, external: mode << 16, slash, contents }.resolve().ok()
    }

    #[test]
    fn modes_keep_the_owner_and_let_everybody_read() {
        let cases = [
            (0o100_644, 0o644),
            (0o100_600, 0o644),
            (0o100_700, 0o755),
            (0o100_777, 0o755),
            (0o100_400, 0o444),
            (0o100_010, 0o555),
            (0o106_755, 0o755),
            (0o101_666, 0o644),
            (0o600, 0o644),
            (0, 0o644),
        ];
        for (mode, kept) in cases {
            assert_eq!(unix(mode, false, true), Some((Kind::File, kept)), "{mode:o}");
        }
        assert_eq!(unix(0o040_700, true, false), Some((Kind::Directory, 0o755)));
        assert_eq!(unix(0o040_500, true, false), Some((Kind::Directory, 0o555)));
        assert_eq!(unix(0, true, false), Some((Kind::Directory, 0o755)));
    }

    #[test]
    fn modes_of_other_hosts_mean_nothing() {
        let nature = Nature { host: 0, external: 0o120_777 << 16, slash: false, contents: true };
        assert_eq!(nature.resolve().unwrap(), (Kind::File, 0o644));
        assert_eq!(Nature { host: 19, ..nature }.resolve().unwrap().0, Kind::Link);
    }

    #[test]
    fn special_files_and_contradictions_are_refused() {
        for format in [0o01, 0o02, 0o06, 0o14, 0o03, 0o17] {
            assert_eq!(unix(format << 12 | 0o644, false, false), None, "{format:o}");
        }
        assert_eq!(unix(0o020_644, false, true), None);
        assert_eq!(unix(0o100_644, true, false), None);
        assert_eq!(unix(0o120_777, true, true), None);
        assert_eq!(unix(0o040_755, false, false), None);
        assert_eq!(unix(0o040_755, true, true), None);
    }

    #[test]
    fn a_pipe_with_contents_is_the_file_that_came_through_it() {
        assert_eq!(unix(0o010_600, false, true), Some((Kind::File, 0o644)));
    }

    #[test]
    fn dos_times_are_utc() {
        assert_eq!(dos_time(0x21, 0), EPOCH_1980);
        assert_eq!(dos_time(44 << 9 | 2 << 5 | 0x1d, 23 << 11 | 59 << 5 | 0x1d), 1_709_251_198);
        assert_eq!(dos_time(120 << 9 | 3 << 5 | 1, 0), 4_107_542_400);
        assert_eq!(dos_time(0, 0), EPOCH_1980);
        assert_eq!(dos_time(13 << 5 | 1, 0), EPOCH_1980);
    }
}
