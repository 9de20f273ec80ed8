//! When credentials are to be replaced. Pure.

use std::time::{Duration, SystemTime};

/// SDKs begin to ask for new ones when theirs are good for less than this (botocore: 15 minutes, advisory).
const AHEAD: Duration = Duration::from_mins(15);

/// Whether credentials should be replaced now: in the last quarter of an hour of their life, or its last quarter
/// where that is shorter.
pub(super) fn is_due(now: SystemTime, obtained: SystemTime, expires: SystemTime) -> bool {
    let life = expires.duration_since(obtained).unwrap_or_default();
    let ahead = AHEAD.min(life / 4);
    expires.duration_since(now).unwrap_or_default() <= ahead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_replaced_before_sdks_would_begin_to_worry() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let table = [
            (3_600, 0, false),
            (3_600, 2_699, false),
            (3_600, 2_700, true),
            (3_600, 9_999, true),
            (4, 2, false),
            (4, 3, true),
            (0, 0, true),
        ];
        for (life, now, expected) in table {
            assert_eq!(is_due(at(now), at(0), at(life)), expected, "{now} of {life}");
        }
    }
}
