//! A dispatcher that is stopped under load again and again, and an ECS that throttles all of it for a while.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use e2e::{Cluster, Deployed, Faults, Package};
use serde_json::json;

use crate::chaos::setting;
use crate::world::{Serving, World, dispatcher};

/// Stops in `make test`; `STOPS=1000` asks for more.
const IN_SHORT: u64 = 8;
/// Worlds beside each other: most of a stop is waiting for the queue's last answer.
const WORLDS: u64 = 4;
const MESSAGES: usize = 15;

fn world() -> World {
    let function = std::fs::read(env!("CARGO_BIN_EXE_chaotic")).unwrap();
    let package = Package::default().executable("bootstrap", function);
    let world =
        World::with(Deployed::new(&package, "provided.al2023", "h").with("MemorySize", 256.into()));
    world.on(&(world.queue("auto")
        + "[serve]\nevery = \"1s\"\n[watch]\npause = \"1s\"\ngrace = \"2s\"\nunseen = \"2s\"\n"));
    world
}

fn send(world: &World, round: u64) {
    let bodies: Vec<String> = (0..MESSAGES)
        .map(|number| {
            let id = format!("job-{round}-{number}");
            let notes = world.path(&format!("{id}.notes"));
            let event = json!({ "job": id, "notes": notes, "millis": 20, "bytes": 10 });
            json!({ "immortal": 1, "id": id, "function": "resize", "event": event }).to_string()
        })
        .collect();
    crate::chaos::send(world, &bodies);
}

fn finished(world: &World, jobs: usize) {
    // However many there are, and however busy the machine: it goes on.
    let mut left = world.left();
    while left > 0 {
        world.until("fewer messages are left", || world.left() < left);
        left = world.left();
    }
    let outcomes = || {
        let folders = std::fs::read_dir(world.path("ledger/jobs")).unwrap().flatten();
        folders.filter(|folder| folder.path().join("outcome.json").exists()).count()
    };
    let mut had = outcomes();
    while had < jobs {
        world.until("more jobs have their outcome", || outcomes() > had);
        had = outcomes();
    }
}

/// How many dispatchers have begun to read.
fn begun(world: &World) -> usize {
    world.log().matches("reading queue=").count()
}

/// Told to stop, it ends within ten seconds.
fn stopped(serving: &mut Serving) -> ExitStatus {
    serving.terminate();
    let since = Instant::now();
    let ended = serving.0.wait().unwrap();
    assert!(since.elapsed() < Duration::from_secs(10), "it took {:?}", since.elapsed());
    ended
}

/// Stops dispatchers under load, in a world of their own: how long each took.
fn stopping(stops: impl Iterator<Item = u64>) -> Vec<Duration> {
    let world = world();
    let cluster = Cluster::start(&world.variables(), Faults::default());
    let variables = [("AWS_ENDPOINT_URL_ECS", cluster.url())];
    let (mut sent, mut took) = (0, Vec::new());
    for stop in stops {
        if world.left() < MESSAGES as u64 {
            send(&world, stop);
            sent += MESSAGES;
        }
        let before = begun(&world);
        let mut serving = world.served_by(&dispatcher(), &variables);
        // From before it is ready to the middle of its work.
        if stop % 4 > 0 {
            world.until("it reads", || begun(&world) > before);
        }
        std::thread::sleep(Duration::from_millis(stop * 37 % 400));
        let since = Instant::now();
        let ended = stopped(&mut serving);
        took.push(since.elapsed());
        // Until it has asked for its signals they end it, as any process.
        let early = begun(&world) == before && ended.signal() == Some(15);
        assert!(ended.success() || early, "{ended}\n{}", world.log());
        assert_eq!(world.hidden(), 0, "messages stay hidden\n{}", world.log());
    }
    let _serving = world.served_by(&dispatcher(), &variables);
    finished(&world, sent);
    took
}

#[test]
fn it_stops_at_once_and_gives_back_what_it_holds() {
    let stops = setting("STOPS").unwrap_or(IN_SHORT);
    let mut took: Vec<Duration> = std::thread::scope(|scope| {
        let worlds = (0..WORLDS).map(|first| (first..stops).step_by(WORLDS.try_into().unwrap()));
        let threads: Vec<_> = worlds.map(|some| scope.spawn(|| stopping(some))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    took.sort();
    let (half, longest) = (took[took.len() / 2], took[took.len() - 1]);
    eprintln!("{} stops: half of them within {half:?}, the longest {longest:?}", took.len());
}

/// A queue does not know who has gone away: the answer to a question that nobody waits for any more hides messages.
#[test]
fn one_that_stops_while_its_queue_is_empty_takes_no_message_with_it() {
    let world = world();
    let cluster = Cluster::start(&world.variables(), Faults::default());
    let variables = [("AWS_ENDPOINT_URL_ECS", cluster.url())];
    let mut serving = world.served_by(&dispatcher(), &variables);
    world.until("it reads", || begun(&world) == 1);
    std::thread::sleep(Duration::from_millis(500));
    assert!(stopped(&mut serving).success());
    send(&world, 0);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((world.hidden(), world.left()), (0, MESSAGES as u64), "{}", world.log());
}

#[test]
fn a_cluster_that_throttles_is_not_hammered_and_nothing_is_lost() {
    let world = world();
    let cluster =
        Cluster::start(&world.variables(), Faults { throttled: 1.0, ..Faults::default() });
    let _serving = world.served_by(&dispatcher(), &[("AWS_ENDPOINT_URL_ECS", cluster.url())]);
    send(&world, 0);
    let calls = || cluster.calls().get("RunTask").copied().unwrap_or_default();
    world.until("each message was tried", || calls() >= MESSAGES as u64);
    std::thread::sleep(Duration::from_secs(4));
    // At most once in two seconds for each message, three requests each time, and those of the watch.
    let most = MESSAGES as u64 * 3 * 6;
    assert!(calls() <= most, "{} calls", calls());
    cluster.suffers(Faults::default());
    finished(&world, MESSAGES);
    assert_eq!((cluster.conflicts(), cluster.repeated()), (0, 0));
}
