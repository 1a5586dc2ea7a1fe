//! Records as pictures: SVG, drawn in colours that are told apart without colour vision too (M. Okabe and K. Ito, 2008).

use super::Run;
use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;
use qadataswap_benches::book::Record;
use std::error::Error;
use std::path::Path;

const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(90, 90, 90),
];
const SIZE: (u32, u32) = (760, 420);

/// A line through points.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Draws every picture of which there are records.
pub(crate) fn draw(runs: &[Run], folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let of = |table: &str| {
        runs.iter().flat_map(|run| &run.records).filter(|record| record.table == table).collect()
    };
    let growth: Vec<&Record> = of("growth");
    let by_rows = lines(&growth, |record| first_number(&record.row, "rows"), |record| record.p50);
    chart(
        &folder.join("growth.svg"),
        "one process: cost of a frame",
        ("rows × 5 columns", "nanoseconds"),
        &by_rows,
    )?;
    let copies: Vec<&Record> =
        of("copies").into_iter().filter(|record: &&Record| !record.column.contains("touch")).collect();
    let speed = lines(
        &copies,
        |record| first_number(&record.row, "KiB"),
        |record| first_number(&record.row, "KiB").unwrap_or(0.0) * 1024.0 / record.p50,
    );
    chart(&folder.join("copies.svg"), "copying into shared memory", ("KiB", "GB/s"), &speed)?;
    for case in ["A", "B", "C", "D"] {
        let ways: Vec<&Record> = of(&format!("python-{case}"));
        let title =
            format!("case {case}: a Polars frame from one Python process to another, ÷ memcpy (logarithmic)");
        bars(&folder.join(format!("python-{case}.svg")), &title, &ways)?;
    }
    Ok(())
}

/// The number before `unit`, if that is what the name is.
fn first_number(name: &str, unit: &str) -> Option<f64> {
    name.strip_suffix(unit)?.trim().replace(',', "").parse().ok()
}

fn lines(records: &[&Record], x: impl Fn(&Record) -> Option<f64>, y: impl Fn(&Record) -> f64) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for record in records {
        let Some(x) = x(record) else { continue };
        let at = lines.iter().position(|line| line.name == record.column).unwrap_or_else(|| {
            lines.push(Line { name: record.column.clone(), points: Vec::new() });
            lines.len() - 1
        });
        lines[at].points.push((x, y(record)));
    }
    lines
}

/// Both axes logarithmic, so that a power is a straight line.
fn chart(path: &Path, title: &str, (x, y): (&str, &str), lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    if points().count() < 2 {
        return Ok(());
    }
    let range = |of: fn((f64, f64)) -> f64| {
        let (low, high) =
            points().map(of).fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        low / 1.5..high * 1.5
    };
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(range(|p| p.0).log_scale(), range(|p| p.1).log_scale())?;
    let plain = |value: &f64| if *value >= 1.0 { format!("{value:.0}") } else { format!("{value}") };
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_label_formatter(&plain)
        .y_label_formatter(&plain)
        .light_line_style(WHITE)
        .draw()?;
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)).point_size(3))?
            .label(line.name.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(RGBColor(200, 200, 200))
        .draw()?;
    area.present()?;
    Ok(())
}

/// Each way as many times its floor, on a logarithmic axis.
fn bars(path: &Path, title: &str, records: &[&Record]) -> Result<(), Box<dyn Error>> {
    const NAMES: i32 = 290;
    const BAR: i32 = 26;
    let ratios: Vec<(&str, f64)> = records
        .iter()
        .filter_map(|record| {
            record.floor.filter(|floor| *floor > 0.0).map(|floor| (record.row.as_str(), record.p50 / floor))
        })
        .collect();
    if ratios.len() < 2 {
        return Ok(());
    }
    let height = 56 + BAR as u32 * ratios.len() as u32;
    let area = SVGBackend::new(path, (SIZE.0, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let style = ("sans-serif", 14).into_font();
    area.draw(&Text::new(title.to_owned(), (12, 12), ("sans-serif", 16).into_font()))?;
    let (low, high) =
        ratios.iter().fold((1.0_f64, 1.0_f64), |(low, high), (_, ratio)| (low.min(*ratio), high.max(*ratio)));
    let (low, high) = (low / 1.5, high * 1.2);
    let room = f64::from(SIZE.0 as i32 - NAMES - 70);
    let place = |ratio: f64| NAMES + (room * (ratio / low).ln() / (high / low).ln()) as i32;
    for (at, (name, ratio)) in ratios.iter().enumerate() {
        let y = 44 + BAR * at as i32;
        let colour = if name.contains("QADataSwap") { COLOURS[0] } else { COLOURS[4].mix(0.55).to_rgb() };
        area.draw(&Text::new((*name).to_owned(), (12, y + 3), style.clone()))?;
        area.draw(&Rectangle::new([(NAMES, y), (place(*ratio), y + BAR - 8)], colour.filled()))?;
        // Not across the line of the floor.
        let beside = match place(1.0) - place(*ratio) {
            0..40 => place(1.0),
            _ => place(*ratio),
        };
        area.draw(&Text::new(format!("{ratio:.2}"), (beside + 6, y + 3), style.clone()))?;
    }
    area.draw(&PathElement::new(
        [(place(1.0), 38), (place(1.0), height as i32 - 10)],
        BLACK.stroke_width(1),
    ))?;
    area.present()?;
    Ok(())
}

/// A colour over white.
trait OverWhite {
    fn to_rgb(self) -> RGBColor;
}

impl OverWhite for RGBAColor {
    fn to_rgb(self) -> RGBColor {
        let RGBAColor(red, green, blue, alpha) = self;
        let over = |part: u8| (f64::from(part) * alpha + 255.0 * (1.0 - alpha)) as u8;
        RGBColor(over(red), over(green), over(blue))
    }
}
