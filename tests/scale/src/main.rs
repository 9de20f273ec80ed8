//! `make scale`: drains a queue of JOBS failed invocations by each mode (of MODES), by SEED, and writes docs/scaling.svg
//! and the table of docs/scaling.md; with SEEDS, by each of so many seeds twice, and compares. Ends with 1 where
//! something is beyond its bounds.
#![expect(
    clippy::disallowed_methods,
    reason = "JOBS, SEED, SEEDS and MODES come from the environment"
)]
#![expect(clippy::print_stdout, reason = "the figures are for people")]

use std::path::Path;
use std::process::ExitCode;

use scale::plot;
use scale::report::{beyond, table, time};
use scale::run::{Mode, Setting, run};

const BEGIN: &str = "<!-- written by `make scale` -->\n";
const END: &str = "<!-- to here -->";

fn setting(name: &str, usual: u64) -> u64 {
    let said = std::env::var(name).ok().filter(|text| !text.is_empty());
    said.map_or(usual, |text| text.parse().unwrap_or(usual))
}

/// The modes that are asked for, by their names; all, where none is.
fn modes() -> Vec<Mode> {
    let asked = std::env::var("MODES").unwrap_or_default();
    let asked: Vec<&str> = asked.split_whitespace().collect();
    let is_asked = |mode: &Mode| asked.is_empty() || asked.contains(&mode.name());
    Mode::ALL.into_iter().filter(is_asked).collect()
}

fn main() -> ExitCode {
    let modes = modes();
    if modes.is_empty() {
        println!("expected of {}; found other MODES", Mode::ALL.map(Mode::name).join(", "));
        return ExitCode::FAILURE;
    }
    match setting("SEEDS", 0) {
        0 => drained(&modes, setting("JOBS", 1_000_000), setting("SEED", 1)),
        seeds => replayed(&modes, setting("JOBS", 100), seeds),
    }
}

/// Each seed twice: the second run must bring the same requests in the same order.
fn replayed(modes: &[Mode], jobs: u64, seeds: u64) -> ExitCode {
    let mut problems = Vec::new();
    for (seed, mode) in (1..=seeds).zip(modes.iter().copied().cycle()) {
        let [one, again] = [(); 2].map(|()| run(Setting { mode, jobs, seed }));
        let same = one.counted.trace == again.counted.trace;
        problems.extend((!same).then(|| format!("seed {seed}, {}: another trace", mode.as_str())));
        let lost =
            one.violations.iter().map(|what| format!("seed {seed}, {}: {what}", mode.as_str()));
        problems.extend(lost);
    }
    println!(
        "{seeds} seeds of {jobs} jobs, twice each: {} differences and violations",
        problems.len()
    );
    for problem in &problems {
        println!("{problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn drained(modes: &[Mode], jobs: u64, seed: u64) -> ExitCode {
    let mut all = Vec::new();
    for mode in modes.iter().copied() {
        let figures = run(Setting { mode, jobs, seed });
        println!(
            "{}: {jobs} jobs drained in {}; {:.2} requests for each; simulated in {:.0} s; trace {:016x}",
            mode.as_str(),
            time(figures.drained),
            figures.calls(),
            figures.took.as_secs_f64(),
            figures.counted.trace,
        );
        for ((who, operation), count) in &figures.counted.counts {
            println!("    {who:?} {operation} {count}");
        }
        all.push(figures);
    }
    println!("{}", table(&all));
    let problems: Vec<String> = all.iter().flat_map(beyond).collect();
    for problem in &problems {
        println!("{problem}");
    }
    match std::env::var("DOCS").ok().filter(|docs| !docs.is_empty()) {
        Some(docs) if problems.is_empty() => written(Path::new(&docs), &all),
        _ if problems.is_empty() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn written(docs: &Path, all: &[scale::run::Figures]) -> ExitCode {
    let page = docs.join("scaling.md");
    let write = || {
        std::fs::write(docs.join("scaling.svg"), plot::svg(all))?;
        let text = std::fs::read_to_string(&page)?;
        let (before, rest) = text.split_once(BEGIN).unwrap_or((&text, END));
        let after = rest.split_once(END).map_or("", |(_, after)| after);
        let Setting { jobs, seed, .. } = all[0].setting;
        let table = format!(
            "{BEGIN}![jobs done over time](scaling.svg)\n\n`JOBS={jobs} SEED={seed}`\n\n{}{END}",
            table(all)
        );
        std::fs::write(&page, format!("{before}{table}{after}"))
    };
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{}: {error}", page.display());
            ExitCode::FAILURE
        }
    }
}
