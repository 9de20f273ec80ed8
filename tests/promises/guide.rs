//! The documentation: every link leads somewhere, every page can be reached, and the quick start does what it says.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{dispatcher, root, runner};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page: its headings as anchors, and where its links lead.
#[derive(Default)]
struct Page {
    anchors: BTreeSet<String>,
    links: Vec<String>,
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 8, "only {} pages were found", pages.len());
    let mut broken = Vec::new();
    for (path, page) in &pages {
        for link in page.links.iter().filter(|link| !is_elsewhere(link)) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { beside(path, file) };
            let anchored = || pages.get(&target).is_some_and(|page| page.anchors.contains(anchor));
            if !target.exists() || !(anchor.is_empty() || anchored()) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_table_of_contents_has_every_page() {
    let pages = pages();
    let contents = root().join("docs/README.md");
    let linked: Vec<PathBuf> = pages[&contents]
        .links
        .iter()
        .map(|link| beside(&contents, link.split('#').next().unwrap_or(link)))
        .collect();
    for path in pages.keys().filter(|path| path.parent() == contents.parent()) {
        let listed = linked.contains(path) || *path == contents;
        assert!(listed, "{} is not in docs/README.md", path.display());
    }
}

/// All pages of the repository, by path.
fn pages() -> HashMap<PathBuf, Page> {
    let mut files = Vec::new();
    for directory in
        ["", "docs", "deploy", "dispatcher", "images", "ledger", "runner", "runtimes", "tests"]
    {
        let entries =
            fs::read_dir(root().join(directory)).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    files.into_iter().map(|path| (path.clone(), page(&fs::read_to_string(path).unwrap()))).collect()
}

fn page(text: &str) -> Page {
    let mut page = Page::default();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let anchor = anchor(&heading.take().unwrap_or_default());
                let again = (1..).map(|n| format!("{anchor}-{n}"));
                let mut all = std::iter::once(anchor.clone()).chain(again);
                page.anchors.extend(all.find(|one| !page.anchors.contains(one)));
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    page
}

/// As GitHub makes it of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it));
    kept.map(|it| if it == ' ' { '-' } else { it.to_ascii_lowercase() }).collect()
}

fn is_elsewhere(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:")
}

/// A file that a page names by its place beside it.
fn beside(page: &Path, file: &str) -> PathBuf {
    let mut path = page.parent().unwrap().to_path_buf();
    for part in Path::new(file).components() {
        match part {
            std::path::Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    path
}

/// The part of the quick start that needs nothing but this machine: its commands, run as they stand, print what it says.
#[test]
fn the_quick_start_does_what_it_says() {
    let text = fs::read_to_string(root().join("docs/quick-start.md")).unwrap();
    let here = text.split("\n## ").find(|part| part.starts_with("Here,")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let printed = run(&code(here, "sh").replace("4566", &port.to_string()));
    let promised = code(here, "text");
    let promised: Vec<&str> = promised.lines().collect();
    assert!(promised.len() > 10, "{promised:?}");
    for line in promised {
        assert!(
            printed.lines().any(|found| is_like(found, line)),
            "expected `{line}`, found:\n{printed}"
        );
    }
}

fn run(script: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let programs = [runner(), dispatcher(), root().join(".venv/bin/aws")];
    let places = programs.iter().map(|program| program.parent().unwrap().display().to_string());
    let path = places.chain([path]).collect::<Vec<_>>().join(":");
    let log = directory.path().join("log");
    let output = fs::File::create(&log).unwrap();
    let script = format!("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n{script}");
    let ended = Command::new("bash")
        .args(["-c", &script])
        .current_dir(directory.path())
        .env("PATH", path)
        .env("IMMORTAL_RUNTIME_DIR", root().join(".runtimes"))
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .status();
    let printed = fs::read_to_string(&log).unwrap();
    assert!(ended.unwrap().success(), "the quick start failed:\n{printed}");
    printed
}

/// The code of a page in one language.
fn code(text: &str, wanted: &str) -> String {
    let mut code = String::new();
    let mut inside = false;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                inside = *language == *wanted;
            }
            Event::End(TagEnd::CodeBlock) => inside = false,
            Event::Text(text) if inside => code.push_str(&text),
            _ => {}
        }
    }
    code
}

/// Whether a line has the parts of a pattern, in which `…` stands for anything, in their order.
fn is_like(line: &str, pattern: &str) -> bool {
    let mut rest = Some(line);
    for part in pattern.split('…').map(str::trim) {
        rest = rest.and_then(|rest| rest.find(part).map(|at| &rest[at + part.len()..]));
    }
    rest.is_some()
}
