//! What the session is told when a client goes away in the middle of a call.

use tokio::sync::mpsc;

use super::Message;
use crate::payload::Payload;
use crate::session::Input;

/// Tells the session something unless its call came to an end before.
pub(super) struct Leaving {
    calls: mpsc::UnboundedSender<Message>,
    input: Option<Input<Payload>>,
}

impl Leaving {
    pub(super) fn new(calls: &mpsc::UnboundedSender<Message>, input: Input<Payload>) -> Self {
        Self { calls: calls.clone(), input: Some(input) }
    }

    /// It came to its end.
    pub(super) fn stayed(mut self) {
        self.input = None;
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(input) = self.input.take() {
            let _ = self.calls.send(Message::new(input));
        }
    }
}
