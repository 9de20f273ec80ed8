//! An error and all that caused it, on one line. Every error's own text leaves its cause out.

use std::error::Error;

/// The texts of an error and of its causes, outermost first.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    let mut texts: Vec<String> = chain.map(ToString::to_string).collect();
    // Transparent wrappers say what they wrap.
    texts.dedup();
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::causes;
    use crate::job::EventError;

    #[test]
    fn causes_follow_their_error() {
        let source = std::io::Error::other("disk on fire");
        let error = EventError::Unreadable { place: "e.json".into(), source };
        assert_eq!(causes(&error), "the event could not be read from e.json: disk on fire");
    }
}
