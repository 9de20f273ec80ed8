//! What a topic wraps around a message (SNS developer guide, "Parsing Amazon SNS message formats"), and the event that
//! a subscribed function would have got of it. Pure.

use ledger::{JobId, Redacted, Time};
use serde_json::json;

use super::view::View;
use super::{Failed, Hint, Kind, Understood, event, job_of};
use crate::message::Message;

/// A wrapped message.
#[derive(Debug)]
pub(super) struct Notification<'a> {
    view: View<'a>,
    /// The topic's ARN.
    pub(super) topic: String,
    /// What was published.
    pub(super) inner: String,
}

impl<'a> Notification<'a> {
    /// The notification that this body is, if it is one.
    pub(super) fn of(body: &'a [u8]) -> Option<Self> {
        let view = View::of(body)?;
        if view.text("Type").as_deref() != Some("Notification") {
            return None;
        }
        let (topic, inner) = (view.text("TopicArn")?, view.text("Message")?);
        Some(Self { view, topic, inner })
    }

    fn attribute(&self, name: &str) -> Option<String> {
        self.view.object("MessageAttributes")?.object(name)?.text("Value")
    }

    /// A dead letter of Lambda's whose target is a topic.
    pub(super) fn dead_letter(&self) -> Option<Understood> {
        let request_id = self.attribute("RequestID")?;
        self.attribute("ErrorCode")?;
        let hint = Hint::DeadLetter { target: self.topic.clone(), role_id: None };
        let event = self.inner.clone().into();
        let job = JobId::from_request_id(&request_id);
        let mut failed = Failed::new(job, Kind::DeadLetter, hint, event);
        failed.source = event::source(self.inner.as_bytes());
        failed.request_id = Some(request_id);
        failed.error.message = self.attribute("ErrorMessage").map(Redacted::new);
        failed.failed_at = self.view.text("Timestamp").and_then(|text| time(&text));
        failed.carried = true;
        Some(Understood::Failed(Box::new(failed)))
    }

    /// A message that its subscription could not deliver: the function's event is made of it.
    pub(super) fn subscription(&self, message: &Message) -> Understood {
        let text = |name: &str| self.view.text(name);
        // Lambda leaves none of its fields out: there are always attributes, if only none.
        let attributes =
            self.view.get("MessageAttributes").map_or_else(|| json!({}), |all| json!(all));
        // The address to unsubscribe at is the only place where the subscription's name is.
        let subscription = text("UnsubscribeURL")
            .and_then(|url| url.split_once("SubscriptionArn=").map(|(_, arn)| arn.to_owned()))
            .unwrap_or_else(|| self.topic.clone());
        let event = json!({ "Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription,
            "Sns": {
                "Type": "Notification",
                "MessageId": text("MessageId"),
                "TopicArn": self.topic,
                "Subject": text("Subject"),
                "Message": self.inner,
                "Timestamp": text("Timestamp"),
                "SignatureVersion": text("SignatureVersion"),
                "Signature": text("Signature"),
                "SigningCertUrl": text("SigningCertURL"),
                "UnsubscribeUrl": text("UnsubscribeURL"),
                "MessageAttributes": attributes,
            },
        }]});
        let job = text("MessageId")
            .map_or_else(|| job_of(message), |id| JobId::from_message(&self.topic, &id));
        let hint = Hint::Topic(self.topic.clone());
        let mut failed = Failed::new(job, Kind::Subscription, hint, event.to_string().into());
        failed.invoke_count = Some(0);
        failed.failed_at = text("Timestamp").and_then(|text| time(&text));
        Understood::Failed(Box::new(failed))
    }
}

/// A moment as AWS writes it.
pub(super) fn time(text: &str) -> Option<Time> {
    serde_json::from_value(text.into()).ok()
}
