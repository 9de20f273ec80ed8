//! Writes docs/conformance.md: `make docs`. Each fact as ours, AWS's emulator and Lambda answer it.

use std::fmt::Write as _;

use e2e::{Who, emulator, root};

use crate::ALL;
use crate::check::{Check, Seen, Source};

const HEAD: &str = "# Conformance

What runs a function here and what a function sees, beside AWS's emulator and Lambda itself. `make docs` writes this page:
it runs each probe of `tests/conformance` over real sockets against the runner and against the emulator (`aws-lambda-rie`, the
binary in PyPI's aws-sam-cli). Lambda's answers are those of the document that each check names; they are what the tests of
the same names insist on, but for the differences that are explained.

`as Lambda`: the same answer. `—`: the probe got no answer, or had none to ask.

";

#[test]
#[ignore = "writes docs/conformance.md; run by `make docs`"]
fn report() {
    assert!(emulator().is_file(), "{} is missing: run `make setup`", emulator().display());
    let mut page = HEAD.to_owned();
    let (mut checks, mut facts, mut theirs) = (0, 0, 0);
    let mut body = String::new();
    for (title, group) in ALL {
        let _ = writeln!(body, "## {title}\n");
        for (check, ours, emulators) in asked(group) {
            checks += 1;
            facts += check.lambda.len();
            theirs += check
                .lambda
                .iter()
                .filter(|(what, lambda)| differs(emulators.as_ref(), what, lambda))
                .count();
            section(&mut body, check, &ours, emulators.as_ref());
        }
    }
    let _ = writeln!(
        page,
        "{checks} checks, {facts} facts. The emulator answers {theirs} of them otherwise than Lambda, or cannot be asked.\n"
    );
    std::fs::write(root().join("docs/conformance.md"), page + &body).unwrap();
}

/// All checks of a group at once: a probe that gets no answer waits for it for a long time.
fn asked(group: &'static [Check]) -> Vec<(&'static Check, Seen, Option<Seen>)> {
    std::thread::scope(|scope| {
        let ask = |check: &'static Check| {
            scope.spawn(move || (check, check.run(Who::Ours), emulated(check)))
        };
        let asked: Vec<_> = group.iter().map(ask).collect();
        asked.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

fn emulated(check: &Check) -> Option<Seen> {
    check.emulator.is_none().then(|| check.run(Who::Emulator))
}

fn differs(seen: Option<&Seen>, what: &str, lambda: &str) -> bool {
    seen.and_then(|seen| seen.of(what)).is_none_or(|found| found != lambda)
}

fn section(page: &mut String, check: &Check, ours: &Seen, emulators: Option<&Seen>) {
    let _ = writeln!(page, "### `{}`\n\n{}. {}\n", check.name, check.says, source(check.see));
    let _ = writeln!(page, "| | Lambda | ours | emulator |\n|---|---|---|---|");
    for (what, lambda) in check.lambda {
        let found = shown(ours.of(what), lambda);
        let theirs = emulators.map_or("—".to_owned(), |seen| shown(seen.of(what), lambda));
        let _ = writeln!(page, "| {} | {} | {found} | {theirs} |", cell(what), code(lambda));
    }
    for (what, _, why) in check.ours {
        let _ = writeln!(page, "\nOurs differs in \"{what}\": {why}.");
    }
    if let Some(why) = check.emulator {
        let _ = writeln!(page, "\nThe emulator cannot run this: {why}.");
    }
    page.push('\n');
}

fn shown(found: Option<String>, lambda: &str) -> String {
    match found {
        Some(found) if found == lambda => "as Lambda".to_owned(),
        Some(found) => code(&found),
        None => "—".to_owned(),
    }
}

fn code(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { format!("`{}`", cell(text)) }
}

fn cell(text: &str) -> String {
    let text: String = text.chars().take(200).collect();
    text.replace('|', "\\|").replace(['\n', '\r', '`'], " ")
}

fn source(see: Source) -> String {
    let guide = "https://docs.aws.amazon.com/lambda/latest";
    match see {
        Source::Guide(page) => format!("[{page}]({guide}/dg/{page}.html)"),
        Source::Rapid(file) => format!(
            "Source of Lambda's sandbox (`internal/lambda/{file}` of aws-lambda-runtime-interface-emulator)"
        ),
        Source::Recorded(what) => {
            format!("Recorded on AWS: {what} (snapshots of LocalStack's tests)")
        }
        Source::Client(which) => format!("What AWS's clients do: {which}"),
    }
}
