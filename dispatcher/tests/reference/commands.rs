//! Command lines, as each program explains them itself. An argument without help is a failure.

use std::fmt::Write as _;

use clap::Command;

/// The help of a program and of all that it can be told to do.
pub(crate) fn commands(mut program: Command) -> String {
    program.build();
    let mut text = String::new();
    help(&mut program, &mut text);
    text
}

fn help(command: &mut Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        assert!(argument.get_help().is_some(), "`{}` of `{name}` has no help", argument.get_id());
    }
    // What may be in the environment is no part of it; what holds for all commands is said once.
    let within = name.contains(' ');
    let mut shown = command.clone().term_width(100).mut_args(|argument| {
        let known = within && argument.is_global_set();
        argument.hide_env_values(true).hide(known)
    });
    let printed = shown.render_long_help().to_string();
    let _ = write!(text, "\n### `{name}`\n\n```text\n{}\n```\n", without_ends(&printed));
    for command in command.get_subcommands_mut() {
        if !command.is_hide_set() && command.get_name() != "help" {
            help(command, text);
        }
    }
}

/// Without spaces at the end of a line.
fn without_ends(printed: &str) -> String {
    printed.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
