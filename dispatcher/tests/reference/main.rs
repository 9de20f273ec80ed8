//! docs/reference.md, made of the code: this test fails where the two differ. `make docs` writes it.
#![expect(
    clippy::disallowed_methods,
    reason = "the bans are the programs': a test is told what to do by a variable"
)]

mod commands;
mod keys;

use std::fmt::Write as _;
use std::time::Duration;

use clap::CommandFactory as _;
use dispatcher::dispatch::Fate;
use dispatcher::reconcile::Report;
use runner::function::runtime::families;
use similar::TextDiff;
use strum::{EnumMessage, VariantArray};

use crate::keys::line;

const PAGE: &str = "../docs/reference.md";

#[test]
fn the_reference_is_what_the_code_says() {
    let made = page();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(PAGE, &made).expect("docs can be written");
    }
    let found = std::fs::read_to_string(PAGE).unwrap_or_default();
    let difference = TextDiff::from_lines(&found, &made).unified_diff().to_string();
    assert!(
        difference.is_empty(),
        "docs/reference.md is not what the code says:\n{difference}\n`make docs` writes it"
    );
}

fn page() -> String {
    let mut text = include_str!("page.md").to_owned();
    for (mark, made) in [
        ("RUNNER COMMANDS", commands::commands(runner::cli::Cli::command())),
        ("RUNNER VARIABLES", table("variable", &variables(runner::config::Variable::name))),
        (
            "RUNNER CODES",
            table("code", &told(|code: &runner::code::Code| (*code as u8).to_string())),
        ),
        ("DISPATCHER COMMANDS", commands::commands(dispatcher::cli::Cli::command())),
        (
            "DISPATCHER VARIABLES",
            table("variable", &variables(dispatcher::variable::Variable::name)),
        ),
        (
            "DISPATCHER CODES",
            table("code", &told(|code: &dispatcher::code::Code| (*code as u8).to_string())),
        ),
        ("KEYS", keys::keys()),
        ("METRICS", metrics()),
        ("RUNTIMES", runtimes()),
    ] {
        let mark = format!("<!-- {mark} -->\n");
        assert!(text.contains(&mark), "page.md has no place for {mark}");
        text = text.replace(&mark, made.trim_start());
    }
    text
}

fn variables<T: EnumMessage + VariantArray + Copy>(
    name: fn(T) -> &'static str,
) -> Vec<[String; 2]> {
    told(|variable: &T| format!("`{}`", name(*variable)))
}

/// All that there are, with what their comments say.
fn told<T: EnumMessage + VariantArray>(name: impl Fn(&T) -> String) -> Vec<[String; 2]> {
    let row = |one: &T| {
        let name = name(one);
        let meaning = one.get_documentation().unwrap_or_else(|| panic!("{name} has no comment"));
        [name, line(meaning)]
    };
    T::VARIANTS.iter().map(row).collect()
}

fn table(what: &str, rows: &[[String; 2]]) -> String {
    let mut text = format!("| {what} | meaning |\n|---|---|\n");
    for [name, meaning] in rows {
        let _ = writeln!(text, "| {name} | {meaning} |");
    }
    text
}

/// From what a registry prints in which each metric has counted once: `# HELP NAME TEXT` and `# TYPE NAME KIND`.
fn metrics() -> String {
    let metrics = dispatcher::metrics::Metrics::default();
    metrics.dispatched(&Ok(Fate::Ignored(String::new())), Duration::ZERO);
    metrics.swept(&Report([("wait", 1)].into()));
    let text = metrics.text();
    let told = |what: &str| -> Vec<(String, String)> {
        let rest = |line: &str| {
            let (name, rest) = line.strip_prefix(what)?.split_once(' ')?;
            Some((name.to_owned(), rest.to_owned()))
        };
        text.lines().filter_map(rest).collect()
    };
    let (meanings, kinds) = (told("# HELP "), told("# TYPE "));
    let mut table = "| metric | kind | meaning |\n|---|---|---|\n".to_owned();
    for ((name, meaning), (_, kind)) in meanings.iter().zip(&kinds) {
        let suffix = if kind == "counter" { "_total" } else { "" };
        let _ =
            writeln!(table, "| `{name}{suffix}` | {kind} | {} |", meaning.trim_end_matches('.'));
    }
    table
}

fn runtimes() -> String {
    let mut table = "| runtime | family | AWS's public base image |\n|---|---|---|\n".to_owned();
    for family in families() {
        for identifier in &family.identifiers {
            let image = family.base_image(identifier);
            let image = image.map_or_else(|| "none".to_owned(), |image| format!("`{image}`"));
            let _ = writeln!(table, "| `{identifier}` | {} | {image} |", family.name);
        }
    }
    table
}

/// The command line reads no variable that is not in the table.
#[test]
fn every_variable_of_the_command_line_is_in_the_table() {
    use dispatcher::variable::Variable;
    let program = dispatcher::cli::Cli::command();
    for argument in program
        .get_arguments()
        .chain(program.get_subcommands().flat_map(clap::Command::get_arguments))
    {
        let Some(name) = argument.get_env() else { continue };
        assert!(Variable::VARIANTS.iter().any(|known| known.name() == name), "{}", name.display());
    }
}
