//! The end of an invocation's log, which a caller can ask for. Pure.

/// As much as Lambda gives.
const SIZE: usize = 4 << 10;

/// The last 4 KiB of what it is given.
#[derive(Debug, Default)]
pub struct Tail(Vec<u8>);

impl Tail {
    /// More of the log.
    pub fn add(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(SIZE)..];
        if self.0.len() + last.len() > 4 * SIZE {
            self.shorten();
        }
        self.0.extend_from_slice(last);
    }

    /// What there is of it.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.shorten();
        self.0
    }

    fn shorten(&mut self) {
        self.0.drain(..self.0.len().saturating_sub(SIZE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn it_is_the_end_of_all(sizes in proptest::collection::vec(0..9000_usize, 0..9)) {
            let (mut tail, mut all) = (Tail::default(), Vec::new());
            for (index, size) in sizes.iter().enumerate() {
                let bytes: Vec<u8> = (0..=250).cycle().skip(index).take(*size).collect();
                tail.add(&bytes);
                proptest::prop_assert!(tail.0.len() <= 4 * SIZE);
                all.extend(bytes);
            }
            all.drain(..all.len().saturating_sub(SIZE));
            proptest::prop_assert_eq!(tail.into_bytes(), all);
        }
    }
}
