//! What must not be fed: the queue that the job came from, and the function itself. Pure. A loop through
//! a topic or another service is not seen here; Lambda's own recursion guard does not see ours either.

use ledger::Destination;

use super::queue::Queue;
use crate::function::name::FunctionName;

/// Why an outcome of this function is not sent to this destination; nothing if it may be.
pub(super) fn refusal(
    destination: &Destination,
    origin_queue_arn: Option<&str>,
    function_arn: &str,
) -> Option<String> {
    let origin = origin_queue_arn.and_then(Queue::of_arn);
    let feeds = |queue: Option<Queue<'_>>| {
        origin.zip(queue).is_some_and(|(origin, queue)| origin.is(&queue))
    };
    let is_itself = |arn: &str| {
        let names = arn.parse::<FunctionName>().ok().zip(function_arn.parse::<FunctionName>().ok());
        names.is_some_and(|(one, other)| one.unqualified() == other.unqualified())
    };
    match destination {
        Destination::Sqs { url } if feeds(Queue::of_url(url)) => {}
        Destination::SqsArn { arn } if feeds(Queue::of_arn(arn)) => {}
        Destination::Lambda { arn } if is_itself(arn) => {
            return Some(format!(
                "{destination} is the function itself: its outcome would start it again, without end; \
                 it is not sent there"
            ));
        }
        _ => return None,
    }
    Some(format!(
        "{destination} is the queue that the job came from: its outcome would become the next job, \
         without end; it is not sent there"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "arn:aws:sqs:eu-west-1:123456789012:failed";
    const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize";

    #[test]
    fn no_outcome_becomes_the_next_job() {
        let table = [
            ("sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/failed", true),
            ("sqs:http://localhost:5000/123456789012/failed", true),
            ("sqs:arn:aws:sqs:eu-west-1:123456789012:failed", true),
            ("sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/done", false),
            ("sqs:https://sqs.us-east-1.amazonaws.com/123456789012/failed", false),
            ("sqs:arn:aws:sqs:eu-west-1:999999999999:failed", false),
            ("lambda:arn:aws:lambda:eu-west-1:123456789012:function:resize", true),
            ("lambda:arn:aws:lambda:eu-west-1:123456789012:function:resize:live", true),
            ("lambda:arn:aws:lambda:eu-west-1:123456789012:function:after", false),
            ("sns:arn:aws:sns:eu-west-1:123456789012:failed", false),
            ("s3://failed", false),
            ("stdout", false),
        ];
        for (text, refused) in table {
            let destination: Destination = text.parse().unwrap();
            for qualifier in ["", ":$LATEST", ":7"] {
                let function = format!("{FUNCTION}{qualifier}");
                let found = refusal(&destination, Some(ORIGIN), &function);
                assert_eq!(found.is_some(), refused, "{text}: {found:?}");
            }
        }
        let queue = "sqs:arn:aws:sqs:eu-west-1:123456789012:failed".parse().unwrap();
        assert_eq!(refusal(&queue, None, FUNCTION), None);
    }
}
