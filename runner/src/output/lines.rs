//! Bytes → whole lines, as many at a time as there are. Pure.

/// A line longer than this is passed on in pieces, so that memory stays bounded.
pub(super) const LONGEST_LINE: usize = 256 << 10;

/// What has come of a line that has no end yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    /// A piece of an endless line has been passed on, and its end has not.
    unended: bool,
}

impl Lines {
    /// Passes on what is whole: lines with their ends, all in one go, or a piece of an endless one.
    pub(super) fn take(&mut self, bytes: &[u8], pass: &mut impl FnMut(&[u8])) {
        let Some(last) = bytes.iter().rposition(|byte| *byte == b'\n') else {
            return self.hold(bytes, pass);
        };
        let (whole, rest) = bytes.split_at(last + 1);
        if self.partial.is_empty() {
            pass(whole);
        } else {
            self.partial.extend_from_slice(whole);
            pass(&self.partial);
            self.partial.clear();
        }
        self.unended = false;
        self.hold(rest, pass);
    }

    /// Passes on an unfinished last line, with an end.
    pub(super) fn end(&mut self, pass: &mut impl FnMut(&[u8])) {
        if self.unended || !self.partial.is_empty() {
            self.unended = false;
            self.partial.push(b'\n');
            pass(&self.partial);
        }
        self.partial = Vec::new();
    }

    fn hold(&mut self, bytes: &[u8], pass: &mut impl FnMut(&[u8])) {
        self.partial.extend_from_slice(bytes);
        if self.partial.len() >= LONGEST_LINE {
            pass(&self.partial);
            self.partial.clear();
            self.unended = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(lines: &mut Lines, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        lines.take(bytes, &mut |bytes| out.push(bytes.to_vec()));
        out
    }

    #[test]
    fn only_whole_lines_are_passed_on() {
        let mut lines = Lines::default();
        assert_eq!(taken(&mut lines, b"one\ntw"), [b"one\n"]);
        assert_eq!(taken(&mut lines, b"o\nthree\nfo"), [b"two\nthree\n"]);
        let mut rest = Vec::new();
        lines.end(&mut |bytes| rest.extend_from_slice(bytes));
        lines.end(&mut |bytes| rest.extend_from_slice(bytes));
        assert_eq!(rest, b"fo\n");
    }

    #[test]
    fn an_endless_line_does_not_pile_up() {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for _ in 0..100 {
            out.extend(taken(&mut lines, &[b'x'; 10_000]).concat());
            assert!(lines.partial.len() < LONGEST_LINE + 10_000);
        }
        assert!(out.len() > LONGEST_LINE);
        lines.end(&mut |bytes| out.extend_from_slice(bytes));
        assert_eq!(out.len(), 100 * 10_000 + 1, "the line has its end, once");
        assert!(out.ends_with(b"x\n"));
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_or_moved(chunks: Vec<Vec<u8>>) {
            let (mut lines, mut out) = (Lines::default(), Vec::new());
            for chunk in &chunks {
                lines.take(chunk, &mut |bytes| out.extend_from_slice(bytes));
                proptest::prop_assert!(out.is_empty() || out.ends_with(b"\n"));
            }
            lines.end(&mut |bytes| out.extend_from_slice(bytes));
            let mut all = chunks.concat();
            if !all.is_empty() && !all.ends_with(b"\n") {
                all.push(b'\n');
            }
            proptest::prop_assert_eq!(out, all);
        }
    }
}
