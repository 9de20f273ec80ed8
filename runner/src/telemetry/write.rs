//! JSON as it is written to logs and subscribers: members in Lambda's order, moments in UTC, durations
//! with three decimals. Written straight into bytes: a busy log is rendered once and not kept.

use std::io::Write as _;
use std::time::Duration;

use crate::session::Millis;

/// An object that is being written.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Begins one. It ends with [`Object::end`].
    pub fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Begins the value of a member.
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        text(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// A string.
    pub fn text(&mut self, key: &str, value: &str) {
        text(self.key(key), value);
    }

    /// A string, where there is one.
    pub fn maybe(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A whole number.
    pub fn number(&mut self, key: &str, value: impl Into<u128>) {
        let value = value.into();
        let _ = write!(self.key(key), "{value}");
    }

    /// A duration, in milliseconds.
    pub fn millis(&mut self, key: &str, value: Duration) {
        let micros = value.as_micros();
        let _ = write!(self.key(key), "{}.{:03}", micros / 1000, micros % 1000);
    }

    /// A moment.
    pub fn moment(&mut self, key: &str, value: Millis) {
        let out = self.key(key);
        out.push(b'"');
        moment(out, value);
        out.push(b'"');
    }

    /// An object.
    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let mut object = Object::begin(self.key(key));
        fill(&mut object);
        object.end();
    }

    /// A list of whatever `each` writes.
    pub fn list<T>(&mut self, key: &str, items: &[T], each: impl Fn(&mut Vec<u8>, &T)) {
        let out = self.key(key);
        out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            each(out, item);
        }
        out.push(b']');
    }

    /// Ends it.
    pub fn end(self) {
        self.out.push(b'}');
    }
}

/// A string. Writing to memory cannot fail, nor can a string be no JSON.
pub fn text(out: &mut Vec<u8>, value: &str) {
    let _ = serde_json::to_writer(out, value);
}

/// `2022-10-12T00:00:15.064Z`
pub fn moment(out: &mut Vec<u8>, time: Millis) {
    let (seconds, millis) = (time / 1000, time % 1000);
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let _ =
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
}

/// Days since 1970-01-01 as year, month and day. Years begin in March here, so that the leap day is a
/// year's last; 400 of them are an era.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = days / 146_097 * 400 + year_of_era + (month <= 2) as u64;
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_in_utc_with_milliseconds() {
        for (time, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_665_532_815_064, "2022-10-12T00:00:15.064Z"),
            (1_709_164_799_999, "2024-02-28T23:59:59.999Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (951_868_799_000, "2000-02-29T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            let mut out = Vec::new();
            moment(&mut out, time);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn moments_are_those_that_the_calendar_knows(time in 0..253_402_300_799_999_i64) {
            let mut out = Vec::new();
            moment(&mut out, time.cast_unsigned());
            let known = jiff::Timestamp::from_millisecond(time).unwrap();
            let known = known.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
            proptest::prop_assert_eq!(String::from_utf8(out).unwrap(), known);
        }
    }
}
