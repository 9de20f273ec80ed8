//! One subscriber's deliveries: batches go to its port on this machine, one after the other, again until
//! it takes them. It may be slow, absent or broken: only its own mailbox fills.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::buffer::Batch;
use super::mailbox::Mailbox;
use super::record::Dropped;
use super::subscribe::Destination;

/// Between two tries, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// A batch that is answered with an error as often as this will not be taken. A listener that is not there
/// may come.
const TRIES: u32 = 5;
/// As much of an answer is read for the connection's sake.
const ANSWER: usize = 64 << 10;

/// Delivers what comes into the mailbox, for as long as the task lives.
pub(super) async fn deliver(mailbox: Arc<Mailbox>) {
    let mut connection = Connection::None;
    loop {
        let (batch, destination) = mailbox.next().await;
        let lost = send(&mut connection, &destination, batch).await;
        mailbox.done(lost);
    }
}

enum Connection {
    None,
    Http(SendRequest<Full<Bytes>>),
    Tcp(TcpStream),
}

enum Problem {
    /// It could not be handed over.
    Unsent,
    /// It was, and the answer is an error.
    Refused,
}

/// Sends one batch, and says what was lost of it.
async fn send(connection: &mut Connection, destination: &Destination, batch: Batch) -> Dropped {
    let lost = Dropped { records: batch.records, bytes: batch.body.len() as u64 };
    let (body, mut refusals, mut pause) = (Bytes::from(batch.body), 0, PAUSES[0]);
    loop {
        // A connection that was kept may have been closed meanwhile: that alone is no reason to wait.
        let kept = !matches!(connection, Connection::None);
        match attempt(connection, destination, body.clone()).await {
            Ok(()) => return Dropped::default(),
            Err(Problem::Unsent) if kept => continue,
            Err(Problem::Unsent) => {}
            Err(Problem::Refused) => refusals += 1,
        }
        if refusals == TRIES {
            return lost;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES[1]);
    }
}

/// One try. The connection is kept only where it may be used again.
async fn attempt(
    connection: &mut Connection,
    destination: &Destination,
    body: Bytes,
) -> Result<(), Problem> {
    let used = std::mem::replace(connection, Connection::None);
    match destination {
        Destination::Http { port, host, target, put } => {
            let method = if *put { Method::PUT } else { Method::POST };
            let request = Request::builder().method(method).uri(target).header(HOST, host);
            let request = request.header(CONTENT_TYPE, "application/json").body(Full::new(body));
            let request = request.map_err(|_| Problem::Refused)?;
            *connection = post(used, *port, request).await?;
        }
        Destination::Tcp { port } => {
            *connection = write(used, *port, &body).await.map_err(|_| Problem::Unsent)?;
        }
    }
    Ok(())
}

async fn post(
    used: Connection,
    port: u16,
    request: Request<Full<Bytes>>,
) -> Result<Connection, Problem> {
    let mut sender = match used {
        Connection::Http(sender) => sender,
        Connection::None | Connection::Tcp(_) => open(port).await.map_err(|_| Problem::Unsent)?,
    };
    sender.ready().await.map_err(|_| Problem::Unsent)?;
    let response = sender.send_request(request).await.map_err(|_| Problem::Unsent)?;
    let refused = response.status().as_u16() >= 400;
    let kept = discard(response).await;
    match (refused, kept) {
        (true, _) => Err(Problem::Refused),
        (false, true) => Ok(Connection::Http(sender)),
        (false, false) => Ok(Connection::None),
    }
}

async fn open(port: u16) -> io::Result<SendRequest<Full<Bytes>>> {
    let stream = connect(port).await?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(io::Error::other)?;
    // It ends with its sender, and what goes wrong with it is seen there.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// Reads an answer to its end, unless that is far. True: the connection can be used again.
async fn discard(response: Response<hyper::body::Incoming>) -> bool {
    let (mut body, mut size) = (response.into_body(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        size += frame.data_ref().map_or(0, Bytes::len);
        if size > ANSWER {
            return false;
        }
    }
    true
}

async fn write(used: Connection, port: u16, body: &[u8]) -> io::Result<Connection> {
    let mut stream = match used {
        Connection::Tcp(stream) => stream,
        Connection::None | Connection::Http(_) => connect(port).await?,
    };
    stream.write_all(body).await?;
    Ok(Connection::Tcp(stream))
}

async fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
