//! A dispatcher that is stopped under load again and again, and an ECS that throttles all of it for a while.

use std::time::{Duration, Instant};

use e2e::{Cluster, Deployed, Faults, Package};
use serde_json::json;

use crate::world::{World, dispatcher};

/// Stops in `make test`; `STOPS=1000` asks for more.
const IN_SHORT: u64 = 8;
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
    world.until("all messages are deleted", || world.left() == 0);
    let outcomes = || {
        let folders = std::fs::read_dir(world.path("ledger/jobs")).unwrap().flatten();
        folders.filter(|folder| folder.path().join("outcome.json").exists()).count()
    };
    world.until("all jobs have their outcome", || outcomes() == jobs);
}

#[test]
fn it_stops_at_once_and_gives_back_what_it_holds() {
    let world = world();
    let cluster = Cluster::start(&world.variables(), Faults::default());
    let variables = [("AWS_ENDPOINT_URL_ECS", cluster.url())];
    let stops = std::env::var("STOPS").ok().map_or(IN_SHORT, |text| text.parse().unwrap());
    for stop in 0..stops {
        send(&world, stop);
        let mut serving = world.served_by(&dispatcher(), &variables);
        // From before it is ready to the middle of its work.
        std::thread::sleep(Duration::from_millis(stop * 37 % 400));
        serving.terminate();
        let since = Instant::now();
        let ended = serving.0.wait().unwrap();
        assert!(ended.success() || stop * 37 % 400 < 100, "{ended}");
        assert!(since.elapsed() < Duration::from_secs(10), "it took {:?}", since.elapsed());
        assert_eq!(world.hidden(), 0, "messages stay hidden\n{}", world.log());
    }
    let _serving = world.served_by(&dispatcher(), &variables);
    finished(&world, MESSAGES * usize::try_from(stops).unwrap());
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
