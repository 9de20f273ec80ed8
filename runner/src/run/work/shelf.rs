//! Files of functions that are not at work, so that they need not be fetched again: the last few, by their digests.

use std::collections::VecDeque;

use tempfile::TempDir;

/// The files. What is taken from it is gone from it.
#[derive(Debug)]
pub(super) struct Shelf<T = TempDir> {
    most: usize,
    /// The last that was put there is at the end.
    kept: VecDeque<(String, T)>,
}

impl<T> Shelf<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: VecDeque::new() }
    }

    /// Puts files there; the oldest ones go where there are too many.
    pub(super) fn put(&mut self, digests: String, files: T) {
        self.kept.retain(|(known, _)| *known != digests);
        self.kept.push_back((digests, files));
        while self.kept.len() > self.most {
            self.kept.pop_front();
        }
    }

    /// Takes the files with these digests.
    pub(super) fn take(&mut self, digests: &str) -> Option<T> {
        let at = self.kept.iter().position(|(known, _)| known == digests)?;
        self.kept.remove(at).map(|(_, files)| files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_kept() {
        let mut shelf = Shelf::new(2);
        for name in ["a", "b", "a", "c"] {
            shelf.put(name.to_owned(), name);
        }
        assert_eq!((shelf.take("b"), shelf.take("a"), shelf.take("a")), (None, Some("a"), None));
        assert_eq!(shelf.take("c"), Some("c"));
        let mut none = Shelf::new(0);
        none.put("a".to_owned(), ());
        assert!(none.take("a").is_none());
    }
}
