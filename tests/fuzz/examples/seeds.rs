//! Writes the seeds of all targets below the directory that is named.

fn main() -> std::io::Result<()> {
    let corpus = std::env::args_os().nth(1).expect("seeds DIRECTORY");
    fuzz::seeds::write(corpus.as_ref())
}
