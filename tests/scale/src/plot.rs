//! Jobs done over time, one line for each run: docs/scaling.svg.

use std::fmt::Write as _;

use crate::run::Figures;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 280.0;
const TOP: f64 = 20.0;
const RIGHT: f64 = 700.0;
const COLOURS: [&str; 6] = ["#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#d62728", "#7f7f7f"];

/// The picture.
pub fn svg(all: &[Figures]) -> String {
    let longest = all.iter().map(|one| one.drained.as_secs_f64() / 3_600.0).fold(0.1, f64::max);
    let x = |hours: f64| LEFT + (RIGHT - LEFT) * hours / longest;
    let y = |part: f64| BOTTOM - (BOTTOM - TOP) * part;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    let mut line = |content: String| {
        let _infallible = writeln!(text, "{content}");
    };
    for tenth in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let (at, label) = (y(tenth), 100.0 * tenth);
        line(format!("<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"#ddd\"/>"));
        line(format!(
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{label:.0} %</text>",
            LEFT - 6.0,
            at + 4.0
        ));
        let hours = longest * tenth;
        line(format!(
            "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{hours:.1} h</text>",
            x(hours),
            BOTTOM + 18.0
        ));
    }
    line(format!("<text x=\"{LEFT}\" y=\"{:.0}\">jobs done, over hours</text>", HEIGHT - 6.0));
    for ((at, one), colour) in all.iter().enumerate().zip(COLOURS) {
        let mut path = format!("M{LEFT} {BOTTOM}");
        for (part, when) in one.curve.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "hundredths")]
            let part = (part + 1) as f64 / 100.0;
            let _infallible =
                write!(path, "L{:.1} {:.1}", x(when.as_secs_f64() / 3_600.0), y(part));
        }
        line(format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"));
        #[expect(clippy::cast_precision_loss, reason = "a few lines")]
        let height = TOP + 16.0 + 16.0 * at as f64;
        let name = one.setting.mode.as_str();
        line(format!(
            "<text x=\"{:.0}\" y=\"{height:.0}\" fill=\"{colour}\">{name}</text>",
            LEFT + 12.0
        ));
    }
    text + "</svg>\n"
}
