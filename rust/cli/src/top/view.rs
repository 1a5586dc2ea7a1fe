//! The picture as it is drawn: a table of rings, below it the readers of the selected one; and what the keys do.

use super::picture::{Figures, Latency, Picture, Process, Reader, Ring, Seen};
use crate::human;
use crate::table::Flush;
use clap::ValueEnum;
use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState};
use std::cmp::Ordering;
use std::time::Duration;

/// A column: of those that do not fit, the ones of the highest rank go first.
pub(crate) struct Column {
    pub(crate) heading: &'static str,
    pub(crate) flush: Flush,
    rank: u8,
}

const fn left(heading: &'static str, rank: u8) -> Column {
    Column { heading, flush: Flush::Left, rank }
}

const fn right(heading: &'static str, rank: u8) -> Column {
    Column { heading, flush: Flush::Right, rank }
}

/// The columns of [`ring_cells`].
pub(crate) const RINGS: [Column; 15] = [
    left("ring", 0),
    left("state", 2),
    right("writer", 4),
    left("command", 6),
    right("frames/s", 0),
    right("MB/s", 1),
    right("rows/s", 3),
    right("fill", 3),
    right("readers", 4),
    right("lag", 1),
    right("missed", 2),
    right("p50", 3),
    right("p99", 1),
    right("max", 5),
    right("waits", 4),
];

/// The columns of [`reader_cells`].
pub(crate) const READERS: [Column; 15] = [
    right("row", 4),
    right("pid", 0),
    left("command", 1),
    left("policy", 2),
    left("state", 3),
    right("reads/s", 0),
    right("MB/s", 2),
    right("rows/s", 3),
    right("lag", 0),
    right("pins", 3),
    right("missed", 1),
    right("p50", 2),
    right("p99", 1),
    right("p99.9", 4),
    right("max", 3),
];

/// What the rings are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// By name.
    Name,
    /// Frames a second, most first.
    Frames,
    /// Bytes a second, most first.
    Bytes,
    /// Rows a second, most first.
    Rows,
    /// The furthest behind first.
    Lag,
    /// Frames missed, most first.
    Missed,
    /// 99th percentile of the latency, longest first.
    P99,
}

impl Sort {
    /// Sorts rings; what is not known comes last, and rings that are alike go by name.
    pub(crate) fn apply(self, rings: &mut [Ring], inverted: bool) {
        let key = |ring: &Ring| -> Option<f64> {
            let Seen::Ring(figures) = &ring.seen else { return None };
            match self {
                Sort::Name => Some(0.0),
                Sort::Frames => figures.frames_per_s,
                Sort::Bytes => figures.bytes_per_s,
                Sort::Rows => figures.rows_per_s,
                Sort::Lag => figures.lag.map(|lag| lag as f64),
                Sort::Missed => Some(figures.missed as f64),
                Sort::P99 => figures.latency.p99_ns.map(|ns| ns as f64),
            }
        };
        rings.sort_by(|a, b| {
            let by_name = a.name.cmp(&b.name);
            let order = match (key(a), key(b)) {
                (Some(a), Some(b)) => b.total_cmp(&a),
                (Some(_), None) => return Ordering::Less,
                (None, Some(_)) => return Ordering::Greater,
                (None, None) => Ordering::Equal,
            };
            let order = order.then(by_name);
            if inverted { order.reverse() } else { order }
        });
    }

    fn of(key: char) -> Option<Sort> {
        Some(match key {
            'n' => Sort::Name,
            'f' => Sort::Frames,
            'b' => Sort::Bytes,
            'r' => Sort::Rows,
            'l' => Sort::Lag,
            'm' => Sort::Missed,
            'p' => Sort::P99,
            _ => return None,
        })
    }

    fn told(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Frames => "frames/s",
            Sort::Bytes => "MB/s",
            Sort::Rows => "rows/s",
            Sort::Lag => "lag",
            Sort::Missed => "missed",
            Sort::P99 => "p99",
        }
    }
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Quit,
    Redraw,
    Nothing,
}

/// What is on the screen.
pub(crate) struct View {
    picture: Picture,
    interval: Duration,
    sort: Sort,
    inverted: bool,
    /// Name of the ring whose readers are shown.
    selected: Option<String>,
    rings: TableState,
}

impl View {
    pub(crate) fn new(picture: Picture, interval: Duration, sort: Sort) -> View {
        let rings = TableState::new();
        let mut view = View { picture, interval, sort, inverted: false, selected: None, rings };
        view.settle();
        view
    }

    /// From now on this picture is shown.
    pub(crate) fn show(&mut self, picture: Picture) {
        self.picture = picture;
        self.settle();
    }

    /// Sorts, and finds the selected ring, or one in its place.
    fn settle(&mut self) {
        self.sort.apply(&mut self.picture.rings, self.inverted);
        let rings = &self.picture.rings;
        let place = rings.iter().position(|ring| Some(&ring.name) == self.selected.as_ref());
        let nearest = || self.rings.selected().unwrap_or(0).min(rings.len().saturating_sub(1));
        self.select(place.unwrap_or_else(nearest));
    }

    fn select(&mut self, place: usize) {
        self.selected = self.picture.rings.get(place).map(|ring| ring.name.clone());
        self.rings.select(self.selected.is_some().then_some(place));
    }

    pub(crate) fn press(&mut self, key: KeyEvent) -> Asked {
        let last = self.picture.rings.len().saturating_sub(1);
        let place = self.rings.selected().unwrap_or(0);
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Asked::Quit,
            KeyCode::Char('q') | KeyCode::Esc => return Asked::Quit,
            KeyCode::Up | KeyCode::Char('k') => self.select(place.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.select((place + 1).min(last)),
            KeyCode::Home => self.select(0),
            KeyCode::End => self.select(last),
            KeyCode::Char('i') => {
                self.inverted = !self.inverted;
                self.settle();
            }
            KeyCode::Char(key) => match Sort::of(key) {
                Some(sort) => {
                    self.sort = sort;
                    self.settle();
                }
                None => return Asked::Nothing,
            },
            _ => return Asked::Nothing,
        }
        Asked::Redraw
    }

    pub(crate) fn draw(&mut self, frame: &mut Frame<'_>) {
        let wanted = self.picture.rings.len().max(1) as u16 + 1;
        let [head, rings, title, readers, foot] = Layout::vertical([
            Constraint::Length(2),
            // Rings get what they need, but leave half to the readers.
            Constraint::Length(wanted.min(frame.area().height.saturating_sub(5).div_ceil(2).max(2))),
            Constraint::Length(2),
            Constraint::Min(0),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(self.headline()), head);
        let cells: Vec<_> = self.picture.rings.iter().map(ring_cells).collect();
        if cells.is_empty() {
            frame.render_widget(Paragraph::new("no rings"), rings);
        } else {
            frame.render_stateful_widget(table(&RINGS, cells, rings), rings, &mut self.rings);
        }
        let selected = self.rings.selected().and_then(|place| self.picture.rings.get(place));
        if let Some(ring) = selected {
            let (about, cells) = match &ring.seen {
                Seen::Ring(figures) => {
                    (about(&ring.name, figures), figures.readers.iter().map(reader_cells).collect())
                }
                Seen::Unreadable { error, .. } => (error.clone(), Vec::new()),
            };
            frame.render_widget(Paragraph::new(vec![Line::default(), Line::from(about).style(BOLD)]), title);
            if !cells.is_empty() {
                frame.render_widget(table(&READERS, cells, readers), readers);
            }
        }
        let keys =
            "q quit   ↑↓ ring   sort: n name  f frames  b bytes  r rows  l lag  m missed  p p99   i invert";
        frame.render_widget(Paragraph::new(keys).style(DIM), foot);
    }

    fn headline(&self) -> Line<'static> {
        let readers: usize = self
            .picture
            .rings
            .iter()
            .map(|ring| match &ring.seen {
                Seen::Ring(figures) => figures.readers.len(),
                Seen::Unreadable { .. } => 0,
            })
            .sum();
        let order = if self.inverted { ", inverted" } else { "" };
        Line::from(format!(
            "qads top  {}  {}, {}  every {}  sorted by {}{order}",
            self.picture.directory.display(),
            human::plural(self.picture.rings.len() as u64, "ring"),
            human::plural(readers as u64, "reader"),
            human::duration(self.interval),
            self.sort.told(),
        ))
        .style(BOLD)
    }
}

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const REVERSED: Style = Style::new().add_modifier(Modifier::REVERSED);

/// A line on a ring, above its readers.
fn about(name: &str, figures: &Figures) -> String {
    format!(
        "{name}: {}, {} full waits ({} in vain), {} waited, {} evicted, when full: {}",
        human::plural(figures.readers.len() as u64, "reader"),
        human::count(figures.full_waits),
        human::count(figures.write_timeouts),
        human::duration(Duration::from_nanos(figures.waited_ns)),
        human::count(figures.readers_evicted),
        figures.when_full,
    )
}

/// As many of the columns as there is room for.
fn table(columns: &[Column], rows: Vec<Vec<String>>, area: Rect) -> Table<'static> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([columns[column].heading.len()]).max().unwrap_or(0) as u16
    };
    let widths: Vec<u16> = (0..columns.len()).map(width).collect();
    let fits = |rank: u8| {
        let kept = columns.iter().zip(&widths).filter(|(column, _)| column.rank <= rank);
        kept.map(|(_, &width)| u32::from(width) + 2).sum::<u32>() <= u32::from(area.width) + 2
    };
    let highest = columns.iter().map(|column| column.rank).max().unwrap_or(0);
    let rank = (0..=highest).rev().find(|&rank| fits(rank)).unwrap_or(0);
    let kept: Vec<usize> = (0..columns.len()).filter(|&column| columns[column].rank <= rank).collect();
    let cell = |text: String, column: usize| {
        let text = Line::from(text);
        Cell::from(match columns[column].flush {
            Flush::Left => text,
            Flush::Right => text.right_aligned(),
        })
    };
    let body = rows.into_iter().map(|row| {
        Row::new(row.into_iter().enumerate().filter(|(c, _)| kept.contains(c)).map(|(c, text)| cell(text, c)))
    });
    let body: Vec<Row<'static>> = body.collect();
    let head = Row::new(kept.iter().map(|&column| cell(columns[column].heading.to_owned(), column)));
    Table::new(body, kept.iter().map(|&column| Constraint::Length(widths[column])))
        .header(head.style(DIM))
        .column_spacing(2)
        .row_highlight_style(REVERSED)
}

/// A ring as text, by [`RINGS`].
pub(crate) fn ring_cells(ring: &Ring) -> Vec<String> {
    let figures = match &ring.seen {
        Seen::Ring(figures) => figures,
        Seen::Unreadable { kind, .. } => {
            let mut cells = vec![ring.name.clone(), (*kind).to_owned()];
            cells.resize(RINGS.len(), "-".to_owned());
            return cells;
        }
    };
    let Latency { p50_ns, p99_ns, max_ns, .. } = figures.latency;
    vec![
        ring.name.clone(),
        if figures.waiting { "waits" } else { figures.state }.to_owned(),
        figures.writer.pid.to_string(),
        command(&figures.writer),
        rate(figures.frames_per_s),
        megabytes(figures.bytes_per_s),
        rate(figures.rows_per_s),
        format!("{}/{}", figures.standing, figures.buffer_count),
        figures.readers.len().to_string(),
        figures.lag.map_or_else(unknown, human::count),
        human::count(figures.missed),
        latency(p50_ns),
        latency(p99_ns),
        latency(max_ns),
        figures.waiting_share.map_or_else(unknown, |share| format!("{:.0}%", share * 100.0)),
    ]
}

/// A reader as text, by [`READERS`].
pub(crate) fn reader_cells(reader: &Reader) -> Vec<String> {
    let Latency { p50_ns, p99_ns, p999_ns, max_ns, .. } = reader.latency;
    vec![
        reader.row.to_string(),
        reader.process.pid.to_string(),
        command(&reader.process),
        reader.policy.to_owned(),
        reader.state.to_owned(),
        rate(reader.reads_per_s),
        megabytes(reader.bytes_per_s),
        rate(reader.rows_per_s),
        human::count(reader.lag),
        reader.pins.to_string(),
        human::count(reader.missed),
        latency(p50_ns),
        latency(p99_ns),
        latency(p999_ns),
        latency(max_ns),
    ]
}

fn unknown() -> String {
    "-".to_owned()
}

fn command(process: &Process) -> String {
    process.command.clone().unwrap_or_else(unknown)
}

fn latency(ns: Option<u64>) -> String {
    ns.map_or_else(unknown, |ns| human::duration(Duration::from_nanos(ns)))
}

fn megabytes(bytes: Option<f64>) -> String {
    bytes.map_or_else(unknown, |bytes| format!("{:.1}", bytes / 1e6))
}

/// A rate: to a tenth while it is small, whole then.
fn rate(rate: Option<f64>) -> String {
    match rate {
        None => unknown(),
        Some(rate) if rate == 0.0 || rate >= 100.0 => human::count(rate.round() as u64),
        Some(rate) => format!("{rate:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn process(pid: u32, command: &str) -> Process {
        Process { pid, command: (!command.is_empty()).then(|| command.to_owned()) }
    }

    fn took(p50_ns: u64) -> Latency {
        let some = |factor| Some(p50_ns * factor);
        Latency {
            count: 1000,
            p50_ns: some(1),
            p90_ns: some(2),
            p99_ns: some(4),
            p999_ns: some(20),
            max_ns: some(100),
        }
    }

    fn reader(row: usize, pid: u32, command: &str, lag: u64) -> Reader {
        Reader {
            row,
            process: process(pid, command),
            state: if command.is_empty() { "dead" } else { "alive" },
            policy: "lossless",
            reads_per_s: Some(12_345.6),
            bytes_per_s: Some(49_382_400.0),
            rows_per_s: Some(1_234_560.0),
            lag,
            pins: 1,
            reads: 99,
            missed: 0,
            missed_in_interval: Some(0),
            last_read_ns: Some(5),
            latency: if command.is_empty() { Latency::default() } else { took(2_900) },
        }
    }

    fn ring(name: &str, frames_per_s: Option<f64>, readers: Vec<Reader>) -> Ring {
        let figures = Figures {
            state: "live",
            waiting: frames_per_s == Some(50.0),
            writer: process(4242, "feed_handler"),
            when_full: "block",
            interval_ns: Some(1_000_000_000),
            frames_per_s,
            bytes_per_s: frames_per_s.map(|frames| frames * 4000.0),
            rows_per_s: frames_per_s.map(|frames| frames * 100.0),
            waiting_share: Some(0.25),
            standing: 3,
            buffer_count: 8,
            frames: 1_000_000,
            lag: readers.iter().map(|reader| reader.lag).max(),
            missed: 7,
            full_waits: 12,
            waited_ns: 250_000_000,
            write_timeouts: 1,
            readers_evicted: 2,
            latency: if readers.is_empty() { Latency::default() } else { took(2_900) },
            readers,
        };
        Ring { name: name.to_owned(), seen: Seen::Ring(Box::new(figures)) }
    }

    fn picture() -> Picture {
        let broken = Seen::Unreadable {
            error: "ring 'old': expected layout version 2".to_owned(),
            kind: "Incompatible",
        };
        Picture {
            directory: "/dev/shm".into(),
            rings: vec![
                ring("quotes", Some(50.0), vec![]),
                Ring { name: "old".to_owned(), seen: broken },
                ring("trades", Some(12_345.6), vec![reader(0, 77, "strategy", 3), reader(5, 78, "", 9_000)]),
                ring("bars", None, vec![]),
            ],
        }
    }

    fn drawn(view: &mut View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
        terminal.draw(|frame| view.draw(frame)).expect("drawn");
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(line).collect::<Vec<_>>().join("\n") + "\n"
    }

    fn names(view: &View) -> Vec<&str> {
        view.picture.rings.iter().map(|ring| ring.name.as_str()).collect()
    }

    #[test]
    fn the_picture_is_the_golden_one() {
        let mut view = View::new(picture(), Duration::from_secs(1), Sort::Frames);
        assert_eq!(drawn(&mut view, 140, 16), include_str!("golden.txt"));
    }

    #[test]
    fn a_narrow_terminal_keeps_what_matters() {
        let mut view = View::new(picture(), Duration::from_secs(1), Sort::Frames);
        let narrow = drawn(&mut view, 48, 16);
        for kept in ["ring", "frames/s", "12,346", "lag", "9,000", "strategy"] {
            assert!(narrow.contains(kept), "{kept}: {narrow}");
        }
        assert!(!narrow.contains("feed_handler"), "{narrow}");
        for (width, height) in [(1, 1), (5, 3), (132, 4), (20, 40)] {
            drawn(&mut view, width, height);
        }
    }

    #[test]
    fn keys_sort_and_select() {
        let press = |view: &mut View, code| view.press(KeyEvent::new(code, KeyModifiers::NONE));
        let mut view = View::new(picture(), Duration::from_secs(1), Sort::Name);
        assert_eq!(names(&view), ["bars", "quotes", "trades", "old"], "what cannot be read comes last");
        assert_eq!(press(&mut view, KeyCode::Down), Asked::Redraw);
        assert_eq!(view.selected.as_deref(), Some("quotes"));
        press(&mut view, KeyCode::Char('f'));
        assert_eq!(names(&view)[..2], ["trades", "quotes"]);
        assert_eq!(view.rings.selected(), Some(1), "the selection goes with its ring");
        press(&mut view, KeyCode::Char('i'));
        assert_eq!(names(&view)[..2], ["quotes", "trades"]);
        assert_eq!(press(&mut view, KeyCode::Char('x')), Asked::Nothing);
        assert_eq!(press(&mut view, KeyCode::Char('q')), Asked::Quit);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.press(interrupt), Asked::Quit);
    }

    #[test]
    fn a_selected_ring_that_goes_leaves_its_place_to_another() {
        let mut view = View::new(picture(), Duration::from_secs(1), Sort::Name);
        view.press(KeyEvent::new(KeyCode::End, KeyModifiers::NONE));
        let mut fewer = picture();
        fewer.rings.truncate(1);
        view.show(fewer);
        assert_eq!(view.selected.as_deref(), Some("quotes"));
        view.show(Picture { directory: "/dev/shm".into(), rings: vec![] });
        assert_eq!(view.selected, None);
        assert!(drawn(&mut view, 80, 10).contains("no rings"));
    }
}
