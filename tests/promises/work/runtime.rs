//! One warm runtime for many jobs of a function, and none of one function for another.

use e2e::{Deployed, Package, Sandbox, confined};
use serde_json::{Value, json};

use super::scene::{EXTENSION, NODE, hear, listen, python, record, scene, until};

#[test]
fn jobs_run_one_after_the_other_in_one_runtime() {
    for (function, arguments) in [
        (python("resize"), true),
        (
            Deployed::new(
                &Package::default().file("index.js", NODE),
                "nodejs20.x",
                "index.handler",
            ),
            false,
        ),
    ] {
        let scene = scene(vec![function]);
        for number in 1..=12 {
            scene.job(&format!("j-{number}"), "resize", &json!({ "n": number }));
        }
        let pointers: Vec<String> = (1..=12).map(|n| scene.pointer(&format!("j-{n}"))).collect();
        scene.send(&pointers);
        let sandbox = if arguments {
            scene.worker(&["--idle", "2s"])
        } else {
            // As the entry point of a container.
            let sandbox = Sandbox::new(&[]).variable("IMMORTAL_QUEUE", &scene.url());
            scene.with_world(sandbox).variable("IMMORTAL_IDLE", "2s")
        };
        let run = sandbox.run();
        run.ends_with(0).prints("");
        let answers: Vec<Value> = (1..=12).map(|n| scene.answer(&format!("j-{n}"))).collect();
        let mut counts: Vec<u64> = answers.iter().map(|it| it["count"].as_u64().unwrap()).collect();
        counts.sort_unstable();
        assert_eq!(counts, (1..=12).collect::<Vec<_>>(), "{}", run.stderr);
        assert!(answers.iter().all(|answer| answer["pid"] == answers[0]["pid"]), "{answers:?}");
        assert_eq!(answers[6]["id"], "r-j-7");
        let attempt = scene.attempt("j-7", 1).unwrap();
        assert_eq!((&attempt["state"], &attempt["aliveUntil"]), (&json!("ended"), &Value::Null));
        assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
        let asked = scene.plane.requests();
        assert_eq!(asked.iter().filter(|path| path.starts_with("/code")).count(), 1, "{asked:?}");
        assert!(run.stderr.matches("START RequestId").count() == 12, "{}", run.stderr);
    }
}

#[test]
fn a_job_has_its_own_limit_of_time() {
    let scene = scene(vec![python("resize")]);
    scene.ask("j-1", "resize", &json!({}));
    let mut limited = record("j-2", "resize", &json!({ "seconds": 30 }));
    limited["limits"] = json!({ "maxDurationSeconds": 1 });
    scene.write("ledger/jobs/j-2/job.json", &limited.to_string());
    scene.write("ledger/active/j-2", "");
    scene.send(&[scene.pointer("j-2")]);
    scene.worker(&["--idle", "2s"]).run().ends_with(0);
    assert!(scene.answer("j-1")["remaining"].as_u64().unwrap() > 1_000_000);
    assert_eq!(scene.outcome("j-2")["facts"]["errorType"], "Sandbox.Timedout");
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}

#[test]
fn another_function_has_a_runtime_of_its_own_and_nothing_of_the_one_before() {
    let layer = Package::default().executable("extensions/parting", EXTENSION);
    let variables = |pairs: Value| json!({ "Variables": pairs });
    let scene = scene(vec![
        python("one")
            .with("Environment", variables(json!({ "OWN": "1", "SECRET": "x" })))
            .layer(&layer),
        python("two").with("Environment", variables(json!({ "OWN": "2" }))),
    ]);
    let mark = format!("left-behind-{}", std::process::id());
    let sandbox = scene.worker(&["--idle", "4s"]);
    let mut child = sandbox.start();
    let lines = listen(&mut child);
    for (id, function) in [("j-1", "one"), ("j-2", "two"), ("j-3", "one"), ("j-4", "two")] {
        scene.ask(id, function, &json!({ "mark": mark }));
        until("an outcome", || scene.read(&format!("{id}/outcome")).is_some());
        if id == "j-2" {
            hear(&lines, "goodbye of one spindown");
        }
    }
    assert!(child.wait().unwrap().success());
    let [one, two, again, _] = ["j-1", "j-2", "j-3", "j-4"].map(|id| scene.answer(id));
    assert_eq!((&one["own"], &one["secret"]), (&json!("1"), &json!("x")));
    assert_eq!(
        (&two["own"], &two["secret"], &two["name"]),
        (&json!("2"), &Value::Null, &json!("two"))
    );
    assert_eq!(
        (&one["files"], &two["files"]),
        (&json!(["app.py", "one.txt"]), &json!(["app.py", "two.txt"]))
    );
    assert_eq!((&again["count"], &again["files"]), (&json!(1), &one["files"]));
    assert_ne!(again["pid"], one["pid"]);
    // Each package was fetched once, though it was put in place twice.
    let asked = scene.plane.requests();
    for name in ["/code/one", "/code/two", "/layer/1"] {
        assert_eq!(asked.iter().filter(|path| path.starts_with(name)).count(), 1, "{asked:?}");
    }
    let left = std::process::Command::new("pgrep").args(["-f", &mark]).output().unwrap();
    assert!(left.stdout.is_empty(), "{}", String::from_utf8_lossy(&left.stdout));
}

#[test]
fn jobs_may_run_side_by_side() {
    let scene = scene(vec![python("resize")]);
    let [one, two] = ["one", "two"].map(|name| scene.path(name).display().to_string());
    // Each waits for the other.
    scene.ask("j-1", "resize", &json!({ "leave": one, "until": two }));
    scene.ask("j-2", "resize", &json!({ "leave": two, "until": one }));
    scene.worker(&["--idle", "3s", "--concurrency", "2"]).run().ends_with(0);
    assert_ne!(scene.answer("j-1")["pid"], scene.answer("j-2")["pid"]);
}

/// The same in S3.
#[test]
fn jobs_may_be_in_a_bucket() {
    let scene = scene(vec![python("resize")]);
    scene.moto.bucket("jobs-of-mine");
    let mut pointers = Vec::new();
    for number in 1..=3 {
        let id = format!("j-{number}");
        scene.moto.put(&format!("jobs-of-mine/p/active/{id}"), b"");
        let job = record(&id, "resize", &json!({})).to_string();
        scene.moto.put(&format!("jobs-of-mine/p/jobs/{id}/job.json"), job.as_bytes());
        pointers.push(json!({ "job": format!("s3://jobs-of-mine/p/jobs/{id}") }).to_string());
    }
    scene.send(&pointers);
    scene.worker(&["--idle", "3s"]).run().ends_with(0);
    let mut counts: Vec<u64> = (1..=3)
        .map(|number| {
            let text = scene.moto.get(&format!("jobs-of-mine/p/jobs/j-{number}/outcome.json"));
            let outcome: Value = serde_json::from_slice(&text.unwrap()).unwrap();
            assert!(scene.moto.get(&format!("jobs-of-mine/p/active/j-{number}")).is_none());
            outcome["record"]["responsePayload"]["count"].as_u64().unwrap()
        })
        .collect();
    counts.sort_unstable();
    assert_eq!((counts, scene.queue()), (vec![1, 2, 3], (0, 0)));
}

/// `IPC_CREAT` (`sysvipc(7)`) and the right of everybody to use it; nothing: only looked for.
const MADE: u32 = 0o1666;
const SOUGHT: u32 = 0;

/// In a container `/tmp` is the function's own, and goes with its runtime, as do its System V objects.
#[test]
fn a_function_leaves_nothing_in_the_container_of_a_worker() {
    let scene = scene(vec![python("one"), python("two")]);
    scene.ask("j-1", "one", &json!({ "leave": "/tmp/secret", "look": "/tmp" }));
    let all = json!({ "leave": "/dev/shm/secret", "look": "/tmp", "objects": MADE });
    scene.ask("j-2", "one", &all);
    let volume = format!("{0}:{0}", scene.path("ledger").display());
    let url = scene.url();
    let mut variables = scene.moto.variables();
    variables.extend(scene.plane.variables());
    variables.extend([("IMMORTAL_QUEUE", url.as_str()), ("IMMORTAL_IDLE", "6s")]);
    let options = ["--volume", volume.as_str()];
    let later = std::thread::scope(|scope| {
        let running = scope.spawn(|| confined(&options, "immortal/python", &variables));
        until("two outcomes", || {
            ["j-1", "j-2"].iter().all(|id| scene.read(&format!("{id}/outcome")).is_some())
        });
        scene.ask("j-3", "two", &json!({ "look": "/tmp" }));
        scene.ask("j-4", "two", &json!({ "look": "/dev/shm", "objects": SOUGHT }));
        until("all outcomes", || {
            ["j-3", "j-4"].iter().all(|id| scene.read(&format!("{id}/outcome")).is_some())
        });
        scene.ask("j-5", "one", &json!({ "look": "/var/task" }));
        running.join().unwrap()
    });
    later.ends_with(0);
    assert_eq!(scene.answer("j-2")["found"], json!(["secret"]), "one runtime, one /tmp");
    assert_eq!(scene.answer("j-3")["found"], json!([]));
    assert_eq!(scene.answer("j-4")["found"], json!([]));
    assert_eq!(scene.answer("j-2")["objects"], json!([true, true, true]));
    assert_eq!(scene.answer("j-4")["objects"], json!([false, false, false]));
    assert_eq!(scene.answer("j-5")["found"], json!(["app.py", "one.txt"]));
}
