//! Little-endian fields, read one after another from a byte slice. Pure; knows nothing of zip.

/// A cursor over bytes. Every read is `None` once too few bytes are left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// A cursor at the start of `bytes`.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    /// The next two bytes as a number.
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes as a number.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes as a number.
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }
}

/// A length as an index. What does not fit (on a small machine) becomes the largest index, which no
/// slice has.
pub(super) fn index(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::Fields;

    #[test]
    fn fields_come_in_order_and_stop_at_the_end() {
        let mut fields = Fields::new(&[1, 2, 0, 0, 1, 0, 9, 8, 7]);
        assert_eq!(fields.u16(), Some(0x0201));
        assert_eq!(fields.u32(), Some(0x0001_0000));
        assert_eq!(fields.u64(), None);
        assert_eq!(fields.take(2), Some(&[9, 8][..]));
        assert_eq!(fields.rest(), &[7]);
        assert_eq!(fields.u16(), None);
    }
}
