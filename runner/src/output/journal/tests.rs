//! A log whose reader reads, does not read, and went away.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// A reader that takes what it is given when it is let.
struct Reader {
    out: Arc<Mutex<Vec<u8>>>,
    let_in: Receiver<()>,
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.let_in.recv();
        self.out.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A journal, what its reader has got, and what lets it read: once for each message, and freely when
/// it is gone.
fn journal() -> (Journal, Arc<Mutex<Vec<u8>>>, Sender<()>) {
    let (out, (gate, let_in)) = (Arc::<Mutex<Vec<u8>>>::default(), channel());
    let reader = Reader { out: Arc::clone(&out), let_in };
    (Journal::new(reader).unwrap(), out, gate)
}

const LONG: Duration = Duration::from_mins(1);

#[test]
fn lines_arrive_in_order_and_whole() {
    let (journal, out, gate) = journal();
    drop(gate);
    let (one, other) = (Origin::new(), Origin::new());
    journal.line(b"START");
    journal.write(one, b"a\nb\n");
    journal.write(one, b"endless ");
    journal.write(one, b"line ");
    journal.write(other, b"c\n");
    journal.write(one, b"goes on");
    journal.line(b"END");
    assert!(journal.finish(LONG));
    let text = String::from_utf8(out.lock().unwrap().clone()).unwrap();
    assert_eq!(text, "START\na\nb\nendless line \nc\ngoes on\nEND\n");
}

#[tokio::test]
async fn nobody_waits_for_a_reader_but_those_who_print() {
    let (journal, out, gate) = journal();
    let line = [b'x'; 1023];
    let mut lines = 0;
    while journal.ready() {
        journal.line(&line);
        lines += 1;
    }
    assert_eq!(lines, ENOUGH / 1024);
    assert!(!journal.finish_for_test(), "the reader does not read");
    for _ in 0..10 {
        journal.line(b"REPORT");
    }
    tokio::select! {
        biased;
        () = journal.room() => panic!("there is no room"),
        () = std::future::ready(()) => drop(gate),
    }
    journal.room().await;
    assert!(journal.finish(LONG));
    let text = String::from_utf8(out.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), lines + 10);
    assert_eq!(text.lines().filter(|line| *line == "REPORT").count(), 10);
}

#[test]
fn what_is_lost_is_counted() {
    let (journal, out, gate) = journal();
    let part = vec![b'x'; MOST / 8];
    // As much as can be under way, as much as can wait, and more.
    for _ in 0..24 {
        journal.line(&part);
    }
    assert!(!journal.finish_for_test());
    drop(gate);
    while !journal.ready() {
        thread::yield_now();
    }
    journal.line(b"END");
    assert!(journal.finish(LONG));
    let text = String::from_utf8(out.lock().unwrap().clone()).unwrap();
    let lost = 24 - text.lines().filter(|line| line.starts_with('x')).count();
    assert!(lost > 0);
    let end = format!("\n{lost} parts of this log were lost: nobody read it\nEND\n");
    assert!(text.ends_with(&end));
}

#[test]
fn a_reader_that_went_away_ends_nothing() {
    let (reader, writer) = io::pipe().unwrap();
    let journal = Journal::new(writer).unwrap();
    journal.line(b"one");
    drop(reader);
    for _ in 0..10_000 {
        journal.line(b"more");
    }
    assert!(journal.finish(LONG));
    assert!(journal.ready());
}

#[test]
fn a_non_blocking_log_is_waited_for() {
    struct Busy(u32, Sender<u8>);
    impl Write for Busy {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            if !self.0.is_multiple_of(3) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let _ = self.1.send(bytes[0]);
            Ok(1)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (sender, receiver) = channel();
    let journal = Journal::new(Busy(0, sender)).unwrap();
    journal.line(b"abc");
    assert!(journal.finish(LONG));
    drop(journal);
    assert_eq!(receiver.iter().collect::<Vec<_>>(), b"abc\n");
}

impl Journal {
    /// Is all written at once? Without ending the log.
    fn finish_for_test(&self) -> bool {
        self.0.load.load(Ordering::Acquire) == 0
    }
}
