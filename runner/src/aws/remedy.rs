//! What to do about the answers of AWS, or their absence, that people meet first. Pure.

const NO_CREDENTIALS: &str =
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run with a role";
const NO_REGION: &str = "set AWS_REGION, or name the function by its ARN";

/// Parts of what the SDK says where there was no answer, and what to do about it.
const UNANSWERED: [(&str, &str); 6] = [
    ("loading credentials", NO_CREDENTIALS),
    ("credentials provider", NO_CREDENTIALS),
    ("Missing Region", NO_REGION),
    ("signing region", NO_REGION),
    ("dns error", "is the region right (AWS_REGION), and AWS_ENDPOINT_URL, if it is set?"),
    ("Connection refused", "is AWS_ENDPOINT_URL right, and does anything listen there?"),
];

/// Error codes, and what to do about them.
const REFUSED: [(&str, &str); 4] = [
    ("ResourceNotFoundException", "are its name and the region right (AWS_REGION)?"),
    ("UnrecognizedClientException", "are the credentials right, and not of another partition?"),
    ("InvalidSignatureException", "is the secret key right, and the clock?"),
    ("ExpiredTokenException", "the credentials have expired: log in again"),
];

/// What was said, with what to do about it.
pub fn unanswered(problem: String) -> String {
    let known = UNANSWERED.iter().find(|(part, _)| problem.contains(part));
    with(problem, known)
}

/// A refusal's message, with what to do about its code.
pub fn refused(code: &str, message: &str) -> String {
    with(message.to_owned(), REFUSED.iter().find(|(known, _)| *known == code))
}

fn with(said: String, known: Option<&(&str, &str)>) -> String {
    match known {
        Some((_, remedy)) => format!("{said} ({remedy})"),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginner_is_told_what_to_do() {
        let said = "dispatch failure: other: an error occurred while loading credentials: none";
        assert!(unanswered(said.to_owned()).ends_with("or run with a role)"));
        for said in ["Invalid Configuration: Missing Region", "missing signing region"] {
            assert!(unanswered(said.to_owned()).contains("set AWS_REGION"), "{said}");
        }
        assert!(refused("ResourceNotFoundException", "m").starts_with("m (are its name"));
    }

    #[test]
    fn what_is_not_known_is_left_as_it_is() {
        assert_eq!(unanswered("time-out".to_owned()), "time-out");
        assert_eq!(refused("ThrottlingException", "slow down"), "slow down");
    }
}
