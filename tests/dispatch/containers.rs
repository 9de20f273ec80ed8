//! The same in real containers: Docker here, images on Debian roots.

use serde_json::json;

use crate::world::{World, slow};

const DOCKER: &str = "[launch]\nlauncher = \"docker\"\n[docker]\nnetwork = \"host\"\n\
    pass = [\"AWS_REGION\", \"AWS_ACCESS_KEY_ID\", \"AWS_SECRET_ACCESS_KEY\", \"AWS_ENDPOINT_URL\", \"AWS_ENDPOINT_URL_LAMBDA\"]\n";

fn runs(runtime: &str) {
    let world = World::with(slow(runtime));
    world.launched_by(DOCKER, &world.queue("auto"));
    let _serving = world.serve();
    let id = format!(
        "j-{}",
        world.directory.path().file_name().unwrap().to_string_lossy().trim_start_matches(".tmp")
    );
    let request = json!({ "immortal": 1, "id": id, "function": "resize", "event": { "n": 1 } });
    world.send(&request.to_string(), &json!({}));
    let records = world.records(1);
    assert_eq!(
        records[0]["responsePayload"],
        json!({ "done": { "n": 1 }, "id": id }),
        "{}",
        world.log()
    );
    world.until("its message is deleted", || world.left() == 0);
    let shown = world.json(&["show", &id, "--json"]);
    assert_eq!(shown["launches"][0]["id"], format!("immortal-{id}-1"), "{shown}");
    // What containers get of the dispatcher's environment is recorded nowhere.
    assert!(!shown.to_string().contains("canary-secret-key"), "{shown}");
    let _ = std::process::Command::new("docker")
        .args(["rm", "-f", &format!("immortal-{id}-1")])
        .status();
}

#[test]
fn a_python_function_runs_to_its_end_in_its_container() {
    runs("python3.11");
}

#[test]
fn a_node_function_runs_to_its_end_in_its_container() {
    runs("nodejs20.x");
}
