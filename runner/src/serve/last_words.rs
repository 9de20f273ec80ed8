//! What a runtime said just before its end: its bytes may still be in our sockets when its exit is
//! seen, and an answer that was given counts. The exit is held back until they have been read, but not for as long
//! as another process holds the connection open.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Environment;
use crate::process::Group;
use crate::session::{Exit, Input, Party};

/// A listener of our own that does not answer for so long has nothing to say.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a process that is gone has sent is read within this: what still comes is another's.
const HOLD: Duration = Duration::from_secs(5);

/// An exit that is held back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    group: Group,
    party: Party,
    exit: Exit,
    /// Everything that was said before has been read.
    heard: bool,
    /// An answer that is still on its way is not waited for any more.
    over: bool,
}

impl Environment {
    /// A process ended.
    pub(super) fn exited(&mut self, group: Group, exit: Exit) {
        let found = self.processes.iter().find(|(_, known)| **known == group);
        let Some(party) = found.map(|(party, _)| *party) else {
            return self.heard(group);
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
            self.held = Some(Held { group, party, exit, heard: false, over: false });
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

    /// The exit that is held back has been told once more: all was read that was said before, or there was time for it.
    fn heard(&mut self, group: Group) {
        let Some(held) = self.held.as_mut().filter(|held| held.group == group) else { return };
        (held.heard, held.over) = (true, held.heard);
        let (ended, exit, over) = (self.ended.clone(), held.exit, held.over);
        self.release();
        if self.held.is_some() && !over {
            tokio::spawn(async move {
                tokio::time::sleep(HOLD).await;
                let _ = ended.send((group, exit));
            });
        }
    }

    /// The exit counts once no answer is on its way any more.
    pub(super) fn release(&mut self) {
        if let Some(held) = self.held
            && held.heard
            && (held.over || self.uploads.is_empty())
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
