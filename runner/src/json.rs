//! Whether a stream of bytes is one JSON text (RFC 8259), told piece by piece in constant memory: an
//! event or a response of a gigabyte is to be JSON. Pure.

/// Deeper nesting is not taken for JSON: no parser that is likely to read it takes it either, and each
/// level wants a byte.
const DEEPEST: usize = 64 << 10;

/// What a text has been so far.
#[derive(Debug)]
pub(crate) struct Checker {
    state: State,
    /// The closing bracket of each level.
    open: Vec<u8>,
    utf8: Utf8,
    /// So many bytes are good.
    at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value begins.
    Value,
    /// A value or `]`.
    First,
    /// A name or `}`.
    FirstName,
    /// A name.
    Name,
    /// `:`
    Colon,
    /// A value is complete.
    After,
    /// In a string; is it a name?
    Text(bool),
    /// After `\`.
    Escape(bool),
    /// Hexadecimal digits still to come.
    Hex(bool, u8),
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
    /// In a number.
    Number(Number),
    /// It is none.
    Not,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

impl Default for Checker {
    fn default() -> Self {
        Self { state: State::Value, open: Vec::new(), utf8: Utf8::default(), at: 0 }
    }
}

impl Checker {
    /// Looks at the next piece. No: it is no JSON, whatever comes.
    pub(crate) fn push(&mut self, piece: &[u8]) -> bool {
        if !self.utf8.push(piece) {
            self.state = State::Not;
        }
        for byte in piece {
            if self.state == State::Not {
                return false;
            }
            self.state = self.step(*byte);
            self.at += u64::from(self.state != State::Not);
        }
        self.state != State::Not
    }

    /// So many bytes, at least, are the beginning of a text.
    pub(crate) fn good(&self) -> u64 {
        self.at
    }

    /// Was it one text?
    pub(crate) fn is_json(&self) -> bool {
        use Number::{Fraction, Power, Whole, Zero};
        let ended =
            matches!(self.state, State::After | State::Number(Zero | Whole | Fraction | Power));
        ended && self.open.is_empty() && self.utf8.is_whole()
    }

    fn step(&mut self, byte: u8) -> State {
        match self.state {
            State::Text(name) => match byte {
                b'"' if name => State::Colon,
                b'"' => State::After,
                b'\\' => State::Escape(name),
                0..0x20 => State::Not,
                _ => State::Text(name),
            },
            State::Escape(name) => match byte {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => State::Text(name),
                b'u' => State::Hex(name, 4),
                _ => State::Not,
            },
            State::Hex(name, left) if byte.is_ascii_hexdigit() => match left {
                1 => State::Text(name),
                left => State::Hex(name, left - 1),
            },
            State::Word([next, rest @ ..]) if byte == *next => match rest {
                [] => State::After,
                rest => State::Word(rest),
            },
            State::Hex(..) | State::Word(_) | State::Not => State::Not,
            State::Number(number) => self.number(number, byte),
            state if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => state,
            State::FirstName | State::Name if byte == b'"' => State::Text(true),
            State::Colon if byte == b':' => State::Value,
            State::First | State::FirstName if self.open.last() == Some(&byte) => self.close(),
            State::Value | State::First => self.value(byte),
            State::After => self.after(byte),
            State::FirstName | State::Name | State::Colon => State::Not,
        }
    }

    fn value(&mut self, byte: u8) -> State {
        match byte {
            b'{' => self.enter(b'}', State::FirstName),
            b'[' => self.enter(b']', State::First),
            b'"' => State::Text(false),
            b't' => State::Word(b"rue"),
            b'f' => State::Word(b"alse"),
            b'n' => State::Word(b"ull"),
            b'-' => State::Number(Number::Minus),
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Whole),
            _ => State::Not,
        }
    }

    fn enter(&mut self, bracket: u8, state: State) -> State {
        if self.open.len() == DEEPEST {
            return State::Not;
        }
        self.open.push(bracket);
        state
    }

    fn close(&mut self) -> State {
        self.open.pop();
        State::After
    }

    fn after(&mut self, byte: u8) -> State {
        match (self.open.last(), byte) {
            (Some(b'}'), b',') => State::Name,
            (Some(_), b',') => State::Value,
            (Some(bracket), byte) if *bracket == byte => self.close(),
            _ => State::Not,
        }
    }

    fn number(&mut self, number: Number, byte: u8) -> State {
        use Number::{Exponent, Fraction, Minus, Point, Power, Sign, Whole, Zero};
        State::Number(match (number, byte) {
            (Minus, b'0') => Zero,
            (Minus, b'1'..=b'9') | (Whole, b'0'..=b'9') => Whole,
            (Zero | Whole, b'.') => Point,
            (Point | Fraction, b'0'..=b'9') => Fraction,
            (Zero | Whole | Fraction, b'e' | b'E') => Exponent,
            (Exponent, b'+' | b'-') => Sign,
            (Exponent | Sign | Power, b'0'..=b'9') => Power,
            (Zero | Whole | Fraction | Power, b' ' | b'\t' | b'\n' | b'\r') => return State::After,
            (Zero | Whole | Fraction | Power, byte) => return self.after(byte),
            _ => return State::Not,
        })
    }
}

/// UTF-8 in pieces: characters may be cut in two.
#[derive(Debug, Default)]
pub(crate) struct Utf8 {
    /// The beginning of a character, at most three bytes.
    begun: Vec<u8>,
}

impl Utf8 {
    /// Is it UTF-8, up to a character that may be completed by the next piece?
    fn push(&mut self, piece: &[u8]) -> bool {
        let mut valid = true;
        self.read(piece, |_| (), |()| valid = false);
        valid
    }

    /// The piece as text. What is no UTF-8 becomes U+FFFD.
    pub(crate) fn text(&mut self, piece: &[u8]) -> String {
        let text = std::cell::RefCell::new(String::with_capacity(piece.len()));
        let (good, bad) = (
            |part: &str| text.borrow_mut().push_str(part),
            |()| text.borrow_mut().push('\u{fffd}'),
        );
        self.read(piece, good, bad);
        text.into_inner()
    }

    fn read(&mut self, piece: &[u8], mut good: impl FnMut(&str), mut bad: impl FnMut(())) {
        let joined;
        let bytes = if self.begun.is_empty() {
            piece
        } else {
            joined = [&std::mem::take(&mut self.begun), piece].concat();
            &joined
        };
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            good(chunk.valid());
            let invalid = chunk.invalid();
            let cut = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if chunks.peek().is_none() && cut {
                self.begun = invalid.to_vec();
            } else if !invalid.is_empty() {
                bad(());
            }
        }
    }

    /// No character was begun that was not completed.
    pub(crate) fn is_whole(&self) -> bool {
        self.begun.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    fn check(pieces: &[&[u8]]) -> bool {
        let mut checker = Checker::default();
        pieces.iter().all(|piece| checker.push(piece)) && checker.is_json()
    }

    /// What `serde_json` takes for a text of UTF-8.
    fn expected(bytes: &[u8]) -> bool {
        std::str::from_utf8(bytes)
            .is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
    }

    #[test]
    fn json_is_told_wherever_it_is_cut() {
        let texts: [&[u8]; 30] = [
            b"null",
            b" {} ",
            b"[]",
            b"[1, -0.5e+10,\"\\u00e9\\n\"]",
            b"{\"a\":{\"b\":[{}]},\"c\":true}",
            b"\"\xc3\xa9\"",
            b"\"\xf0\x9f\x98\x80\"",
            b"0",
            b"-0",
            b"1e5\n",
            b"",
            b" ",
            b"01",
            b"-",
            b"1.",
            b"1e",
            b"{\"a\"}",
            b"{\"a\":1,}",
            b"[1,]",
            b"[1}",
            b"nul",
            b"nulll",
            b"\"\n\"",
            b"\"\\x\"",
            b"\"\\u12g4\"",
            b"\"\xff\"",
            b"\"\xc3\"",
            b"{} {}",
            b"plain",
            b"{,}",
        ];
        for text in texts {
            for cut in 0..=text.len() {
                let (front, back) = text.split_at(cut);
                let shown = String::from_utf8_lossy(text);
                assert_eq!(check(&[front, back]), expected(text), "{shown} cut at {cut}");
            }
        }
    }

    #[test]
    fn nesting_costs_no_more_than_it_may() {
        assert!(check(&[&b"[".repeat(DEEPEST), &b"]".repeat(DEEPEST)]));
        assert!(!check(&[&b"[".repeat(DEEPEST + 1), &b"]".repeat(DEEPEST + 1)]));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_parser(text in "[\\[\\]{}:,\"\\\\ub0-1.eE+\\- tnlrufase]{0,12}") {
            prop_assert_eq!(check(&[text.as_bytes()]), expected(text.as_bytes()));
        }

        #[test]
        fn text_is_whole_wherever_it_is_cut(bytes: Vec<u8>, cut: prop::sample::Index) {
            let (front, back) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut utf8 = Utf8::default();
            let mut found = utf8.text(front) + &utf8.text(back);
            if !utf8.is_whole() {
                found.push('\u{fffd}');
            }
            prop_assert_eq!(found, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}
