//! What a runtime said just before its end: its bytes may still be in our sockets when its exit is
//! seen, and an answer that was given counts. The exit is held back until they have been read.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Environment;
use crate::process::Group;
use crate::session::{Exit, Input, Party};

/// A listener of our own that does not answer for so long has nothing to say.
const PATIENCE: Duration = Duration::from_secs(1);

/// An exit that is held back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    party: Party,
    exit: Exit,
    /// Everything that was said before has been read.
    heard: bool,
}

impl Environment {
    /// A process ended.
    pub(super) fn exited(&mut self, group: Group, exit: Exit) {
        let found = self.processes.iter().find(|(_, known)| **known == group);
        let Some(party) = found.map(|(party, _)| *party) else {
            return self.heard();
        };
        self.processes.remove(&party);
        // What it started goes with it, and has time for that; at the end of all that is seen to elsewhere.
        if !self.stopping {
            let patience = self.common.leftovers;
            group.terminate();
            tokio::spawn(async move {
                tokio::time::sleep(patience).await;
                group.kill();
            });
        }
        self.drain();
        if party == Party::Runtime && !self.jobs.is_empty() {
            self.held = Some(Held { party, exit, heard: false });
            self.listen(group, exit);
        } else {
            self.take(Input::Exited(party, exit));
        }
    }

    /// Asks our own listener something: whatever was sent to it before is read before the answer.
    /// The exit is told once more then.
    fn listen(&self, group: Group, exit: Exit) {
        let (api, ended) = (self.plan.api, self.ended.clone());
        tokio::spawn(async move {
            let _ = tokio::time::timeout(PATIENCE, ping(api)).await;
            let _ = ended.send((group, exit));
        });
    }

    fn heard(&mut self) {
        if let Some(held) = &mut self.held {
            held.heard = true;
        }
        self.release();
    }

    /// The exit counts once no answer is on its way any more.
    pub(super) fn release(&mut self) {
        if let Some(held) = self.held
            && held.heard
            && self.uploads.is_empty()
        {
            self.held = None;
            self.take(Input::Exited(held.party, held.exit));
        }
    }
}

async fn ping(api: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(api).await?;
    stream.write_all(b"GET /2018-06-01/ping HTTP/1.0\r\n\r\n").await?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}
