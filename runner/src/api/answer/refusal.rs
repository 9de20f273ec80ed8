//! [`Refusal`] → response: one table.

use hyper::{Response, StatusCode};
use uuid::Uuid;

use super::{Body, error, internal};
use crate::session::{Feed, Refusal};

pub(super) fn render(refusal: &Refusal) -> Response<Body> {
    let (bad, forbidden) = (StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN);
    let (status, kind, message) = match refusal {
        Refusal::UnknownRequest => (bad, "InvalidRequestID", "Invalid request ID".to_owned()),
        Refusal::InvokeTimeout => (StatusCode::GONE, "InvokeTimeout", "Invoke timeout".to_owned()),
        Refusal::Truncated => {
            (bad, "TruncatedHTTPRequest", "HTTP request detected as truncated".to_owned())
        }
        Refusal::ResponseMode => {
            (bad, "InvalidFunctionResponseMode", "Invalid function response mode".to_owned())
        }
        Refusal::TooLarge(limit) => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            format!("Exceeded maximum allowed payload size ({limit} bytes)."),
        ),
        Refusal::Unkept => return internal(),
        Refusal::TooManyIdle => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "Runtime.TooManyIdleRuntimes",
            "Too many idle runtimes".to_owned(),
        ),
        Refusal::Transition { from, to } => {
            (forbidden, "InvalidStateTransition", transition(from.name(), to.name(), "runtime"))
        }
        Refusal::UnknownExtension(id) => (
            forbidden,
            "Extension.UnknownExtensionIdentifier",
            format!("Unknown extension {}", Uuid::from_u128(id.0)),
        ),
        Refusal::ShutdownForInternal => (
            forbidden,
            "Extension.InvalidEventType",
            "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension".to_owned(),
        ),
        Refusal::InvokeForConcurrent => {
            (forbidden, "Extension.InvalidEventType", "INVOKE: ErrorInvalidEventType".to_owned())
        }
        Refusal::RegistrationClosed => (
            forbidden,
            "Extension.RegistrationClosed",
            "Extension registration closed already".to_owned(),
        ),
        Refusal::AlreadyRegistered => (
            forbidden,
            "Extension.InvalidExtensionState",
            "Extension with this name already registered".to_owned(),
        ),
        Refusal::TooManyExtensions => {
            (forbidden, "Extension.TooManyExtensions", "Extension limit (10) reached".to_owned())
        }
        Refusal::ExtensionTransition { from, to } => (
            forbidden,
            "Extension.InvalidExtensionState",
            transition(from.name(), to.name(), "extension"),
        ),
        Refusal::SubscriptionClosed(feed) => {
            let (kind, api) = match feed {
                Feed::Telemetry => ("Telemetry.SubscriptionClosed", "Telemetry"),
                Feed::Logs => ("Logs.SubscriptionClosed", "Logs"),
            };
            (forbidden, kind, format!("{api} API subscription is closed already"))
        }
    };
    error(status, kind, &message)
}

fn transition(from: &str, to: &str, whose: &str) -> String {
    format!(
        "State transition from {from} to {to} failed for {whose}. Error: State transition is not allowed"
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::seen;
    use super::*;
    use crate::session::{ExtensionId, ExtensionState, Kind, State};

    #[test]
    fn refusals_have_their_documented_status_type_and_text() {
        let transition =
            Refusal::Transition { from: State::Sent, to: State::Receiving(Kind::Response) };
        let moved = "State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. Error: State transition is not allowed";
        let (from, to) = (ExtensionState::Ready, ExtensionState::Ready);
        let parked = "State transition from Ready to Ready failed for extension. Error: State transition is not allowed";
        let table = [
            (Refusal::UnknownRequest, 400, "InvalidRequestID", "Invalid request ID"),
            (Refusal::InvokeTimeout, 410, "InvokeTimeout", "Invoke timeout"),
            (transition, 403, "InvalidStateTransition", moved),
            (Refusal::Truncated, 400, "TruncatedHTTPRequest", "HTTP request detected as truncated"),
            (
                Refusal::TooLarge(6_291_556),
                413,
                "RequestEntityTooLarge",
                "Exceeded maximum allowed payload size (6291556 bytes).",
            ),
            (Refusal::Unkept, 500, "InternalServerError", "Internal Server Error"),
            (
                Refusal::ExtensionTransition { from, to },
                403,
                "Extension.InvalidExtensionState",
                parked,
            ),
            (
                Refusal::UnknownExtension(ExtensionId(10)),
                403,
                "Extension.UnknownExtensionIdentifier",
                "Unknown extension 00000000-0000-0000-0000-00000000000a",
            ),
            (
                Refusal::SubscriptionClosed(Feed::Telemetry),
                403,
                "Telemetry.SubscriptionClosed",
                "Telemetry API subscription is closed already",
            ),
        ];
        for (refusal, status, kind, message) in table {
            let body =
                format!("{}\n", serde_json::json!({"errorMessage": message, "errorType": kind}));
            assert_eq!(seen(render(&refusal)), (status, "application/json".into(), body));
        }
    }
}
