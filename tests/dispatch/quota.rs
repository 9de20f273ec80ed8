//! Many functions at once: they are asked about within Lambda's quota, of which others take their part, and nobody's message
//! is lost or kept for it.

use std::fs;

use e2e::{Deployed, Package};
use serde_json::json;

use crate::arrive::record;
use crate::chaos::{arrived, send};
use crate::world::{ARN, FAILED, World};

const FUNCTIONS: usize = 200;
/// What Lambda answers a second to the whole account, and what others leave of it.
const WHOLE: usize = 15;
const LEFT: usize = 8;

#[test]
fn many_functions_are_asked_about_within_the_quota_and_nothing_is_lost_for_it() {
    let package = Package::default().file("app.py", "");
    let function = |number| {
        let function = Deployed::new(&package, "python3.11", "app.handler");
        function.named(&format!("f-{number}")).destinations("", FAILED)
    };
    let world = World::of((0..FUNCTIONS).map(function).collect());
    let config = world.config(&world.queue("auto"));
    let text = fs::read_to_string(&config).unwrap();
    fs::write(config, text.replace("provenance = false", "provenance = true")).unwrap();
    world.plane.quota().a_second = Some(LEFT);
    // They failed by themselves: what becomes of them is decided here.
    let failed = |number| {
        let mut failed = record(&format!("r-{number}"));
        failed["requestContext"]["functionArn"] =
            ARN.replace("resize", &format!("f-{number}")).into();
        failed["responsePayload"] = json!({ "errorType": "ValueError", "errorMessage": "no" });
        failed.to_string()
    };
    send(&world, &(0..FUNCTIONS).map(failed).collect::<Vec<_>>());
    let _serving = world.serve();
    let mut left = world.left();
    while left > 0 {
        world.until("fewer messages are left", || world.left() < left);
        left = world.left();
    }
    world.until("no job is unfinished", || world.unfinished() == 0);
    assert_eq!(world.json(&["quarantine", "--json"]), json!([]));
    assert_eq!(arrived(&world).len(), FUNCTIONS);
    let quota = world.plane.quota();
    let (asked, refused, most) = (quota.asked(), quota.refused(), quota.most());
    eprintln!("{asked} questions, {refused} refused, at most {most} within a second");
    assert!(most <= WHOLE, "{most} within a second");
    assert!((1..=FUNCTIONS / 10).contains(&refused), "{refused} of {asked} were refused");
}
