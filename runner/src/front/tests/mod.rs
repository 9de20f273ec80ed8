//! The front door over real sockets, with the test itself as the environment: it takes orders and answers them.

mod answers;
mod ends;
mod events;
mod sdk;
mod wire;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::order::{Answer, Reply};
use crate::payload::Payload;
use wire::{Heard, Wire};

const INVOKE: &str = "/2015-03-31/functions/f/invocations";
const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:f";

/// A front door and what is behind it.
struct House {
    address: SocketAddr,
    orders: mpsc::Receiver<Order>,
    lines: mpsc::UnboundedReceiver<String>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl House {
    async fn open(settings: Settings) -> Self {
        let front = Front::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let (address, (sender, orders)) = (front.address, mpsc::channel(1000));
        let (line, lines) = mpsc::unbounded_channel();
        let outcomes = Arc::new(Lines(move |text: &str| drop(line.send(text.to_owned()))));
        let (stop, stopped) = oneshot::channel();
        let facts = FunctionFacts { version: "$LATEST".into(), arn: ARN.into() };
        let stopped = async move { drop(stopped.await) };
        let serving = tokio::spawn(front.serve(settings, sender, facts, outcomes, stopped));
        Self { address, orders, lines, stop: Some(stop), serving }
    }

    async fn order(&mut self) -> Order {
        self.orders.recv().await.unwrap()
    }

    fn has_no_order(&mut self) -> bool {
        self.orders.try_recv().is_err()
    }

    /// A call that goes on beside the test.
    fn call(&self, path: &str, headers: &str, body: impl Into<Vec<u8>>) -> JoinHandle<Heard> {
        let (address, path, headers) = (self.address, path.to_owned(), headers.to_owned());
        let body = body.into();
        tokio::spawn(async move { Wire::open(address).await.call(&path, &headers, &body).await })
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

fn answer(payload: impl Into<Payload>) -> Answer {
    Answer::new(payload.into(), false)
}

fn text(text: &str) -> Reply {
    Reply::Whole(answer(text.as_bytes().to_vec()))
}

fn failure() -> Reply {
    let error_type = Some("Runtime.ExitError".to_owned());
    Reply::Whole(Answer { failed: true, error_type, ..answer(b"{}".to_vec()) })
}
