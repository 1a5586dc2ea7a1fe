//! What the live views are, as one circuit.
//!
//! ```text
//!   trades ─▶ by symbol and minute ─┬─▶ first, last ──┐
//!                                   ├─▶ least, most ──┼─▶ join ─▶ bars
//!                                   └─▶ sums ─────────┘
//!   trades ─▶ by symbol ─▶ sums ─▶ VWAP
//!   order events ─▶ orders ─▶ sums by level ─┬─▶ most of the bids ──┬─▶ top of the book
//!                                            └─▶ least of the asks ─┘
//! ```

use qadataswap_dbsp::operator::{KeyedHandle, Max, Min, OutputHandle, ZSetHandle};
use qadataswap_dbsp::time::Nanoseconds;
use qadataswap_dbsp::{CircuitHandle, Data, Error, RootCircuit};

const MINUTE_NS: u64 = 60_000_000_000;

/// A trade. Prices are in units of 1e-9, here and below.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
pub(super) struct Trade {
    pub(super) symbol: String,
    pub(super) time: Nanoseconds,
    pub(super) price: i64,
    /// More than 0.
    pub(super) size: i64,
}

/// What happens to an order, by the codes of Databento's market-by-order schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
pub(super) struct Event {
    pub(super) symbol: String,
    pub(super) action: String,
    pub(super) side: String,
    pub(super) price: i64,
    pub(super) size: u32,
}

/// A minute of one symbol's trades.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
pub(super) struct Bar {
    symbol: String,
    /// When it begins.
    minute: Nanoseconds,
    open: i64,
    high: i64,
    low: i64,
    close: i64,
    volume: i64,
    trades: i64,
}

/// The price of all of a symbol's trades, weighted by their sizes, rounded towards 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
pub(super) struct Vwap {
    symbol: String,
    vwap: i64,
    volume: i64,
    trades: i64,
}

/// The best price of a symbol's bids or asks, and what rests there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
pub(super) struct Best {
    symbol: String,
    side: String,
    price: i64,
    size: i64,
    orders: i64,
}

/// An order: its symbol, whether it is a bid, its price and size.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
struct Order {
    symbol: String,
    bid: bool,
    price: i64,
    size: i64,
}

/// Where rows enter and views leave.
pub(super) struct Ends {
    pub(super) trades: ZSetHandle<Trade>,
    pub(super) events: KeyedHandle<u64, Event>,
    pub(super) bars: OutputHandle<Bar>,
    pub(super) vwap: OutputHandle<Vwap>,
    pub(super) book: OutputHandle<Best>,
}

/// A symbol and a minute.
type Minute = (String, Nanoseconds);

/// Builds the circuit.
pub(super) fn build() -> Result<(CircuitHandle, Ends), Error> {
    RootCircuit::build(|circuit| {
        let (trades, into_trades) = circuit.add_input_zset::<Trade>();
        let (orders, into_orders) = circuit.add_input_keyed(apply);

        let of_minute = trades.map_index_by_ref::<Minute, (Nanoseconds, i64, i64)>(|trade| {
            ((trade.symbol, trade.time.floor(MINUTE_NS)), (trade.time, trade.price, trade.size))
        });
        // Trades order by time, then by price: of those of one nanosecond, the lowest counts as first, the highest as last.
        let ends = of_minute.aggregate((Min, Max));
        let range = of_minute
            .map_index_by_ref::<Minute, i64>(|&(minute, (_, price, _))| (minute, price))
            .aggregate((Min, Max));
        let sums = of_minute.aggregate_linear(|&(_, _, size)| (size, 1i64));
        let bars =
            ends.join_index(&range, |&(symbol, minute), &((_, open, _), (_, close, _)), &(low, high)| {
                ((symbol.to_owned(), minute), (open, high, low, close))
            })
            .join(&sums, |&(symbol, minute), &(open, high, low, close), &(volume, trades)| {
                Bar { symbol: symbol.to_owned(), minute, open, high, low, close, volume, trades }
            });

        let vwap = trades
            .map_index_by_ref::<String, (i64, i64)>(|trade| (trade.symbol, (trade.price, trade.size)))
            .aggregate_linear_postprocess(
                |&(price, size)| (i128::from(price) * i128::from(size), size, 1i64),
                // A mean lies between prices, which fit.
                |&(value, volume, trades)| ((value / i128::from(volume)) as i64, volume, trades),
            )
            .map(|&(symbol, (vwap, volume, trades))| Vwap {
                symbol: symbol.to_owned(),
                vwap,
                volume,
                trades,
            });

        let levels = orders
            .map_index_by_ref::<(String, bool, i64), i64>(|&(_, order)| {
                ((order.symbol, order.bid, order.price), order.size)
            })
            .aggregate_linear(|&size| (size, 1i64));
        let of_side = |bid: bool| {
            levels
                .filter(move |((_, is_bid, _), _)| *is_bid == bid)
                .map_index(|&((symbol, _, price), (size, orders))| (symbol.to_owned(), (price, size, orders)))
        };
        let best = |side: &'static str| {
            move |&(symbol, (price, size, orders)): &(&str, (i64, i64, i64))| Best {
                symbol: symbol.to_owned(),
                side: side.to_owned(),
                price,
                size,
                orders,
            }
        };
        let bids = of_side(true).aggregate(Max).map(best("bid"));
        let asks = of_side(false).aggregate(Min).map(best("ask"));

        Ok(Ends {
            trades: into_trades,
            events: into_orders,
            bars: bars.output(),
            vwap: vwap.output(),
            book: bids.plus(&asks).output(),
        })
    })
}

/// What an event makes of the order that it names. Trades and fills change nothing: cancellations of what they took follow.
fn apply(order: Option<&Order>, event: Event) -> Option<Order> {
    let size = i64::from(event.size);
    match (event.action.as_str(), order) {
        ("A" | "M", _) => {
            Some(Order { symbol: event.symbol, bid: event.side == "B", price: event.price, size })
        }
        ("C", Some(order)) if order.size > size => Some(Order { size: order.size - size, ..order.clone() }),
        ("C", _) => None,
        (_, order) => order.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::feed::Feed;
    use super::super::super::orders::OrderFeed;
    use super::super::expected::{Published, Views};
    use super::super::trades;
    use super::*;
    use arrow::datatypes::{DataType, TimeUnit};
    use qadataswap_dbsp::arrow::{ArrowColumn, ArrowValues, Layout};

    /// Adds what a view has changed by since the last time.
    fn follow<K: Data>(view: &mut super::super::rows::Rows, output: &OutputHandle<K>)
    where
        K::Column: ArrowColumn,
    {
        let change = Layout::new().always_weights().write(output.take()).expect("a table");
        view.add_table(&change).expect("a change of a view");
    }

    #[test]
    fn views_are_what_recomputation_says_after_every_batch() {
        for (seed, rows) in [(1, 40), (2, 700), (3, 9_000)] {
            let (mut feed, mut orders) = (Feed::new(seed), OrderFeed::new(seed));
            let (mut circuit, ends) = build().expect("a sound circuit");
            let layout = Layout::<u64, Event>::new().keys(["order_id"]).expect("one key");
            let (mut views, mut published) = (Views::default(), Published::default());
            for _ in 0..60_000 / rows {
                let (quotes, events) = (feed.next(rows).expect("rows"), orders.next(rows).expect("rows"));
                published.trade(&quotes).expect("trades");
                published.order(&events).expect("events");
                let trades = trades::of(&quotes).expect("trades");
                ends.trades.append(Layout::new().read(&trades).expect("columns of a trade"));
                for (order, event, _) in layout.read(&events).expect("columns of an event").iter() {
                    ends.events.push(order, Event::owned(event));
                }
                circuit.step().expect("a step of a sound circuit");
                follow(&mut views[0], &ends.bars);
                follow(&mut views[1], &ends.vwap);
                follow(&mut views[2], &ends.book);
                let expected = published.views();
                for (view, expected) in views.iter().zip(&expected) {
                    assert_eq!(view.with_weights(), expected.with_weights());
                    assert_eq!(view.checksum(), expected.checksum());
                }
            }
            assert_eq!(views.map(|view| view.with_weights().len()).map(|rows| rows > 1), [true; 3]);
        }
    }

    #[test]
    fn of_trades_of_one_nanosecond_the_lowest_opens_and_the_highest_closes() {
        let (mut circuit, ends) = build().expect("a sound circuit");
        for price in [7, 9, 8] {
            ends.trades.push(Trade { symbol: "ES".to_owned(), time: Nanoseconds(5), price, size: 1 }, 1);
        }
        circuit.step().expect("a step of a sound circuit");
        let bars = ends.bars.take().to_rows();
        assert_eq!((bars[0].0.open, bars[0].0.close), (7, 9));
    }

    #[test]
    fn a_minute_leaves_as_a_timestamp() {
        let field = <<Bar as Data>::Column as ArrowValues>::data_type();
        let DataType::Struct(fields) = field else { panic!("a bar is a row of columns, not {field}") };
        let minute = fields.find("minute").expect("a bar has a minute").1;
        assert_eq!(minute.data_type(), &DataType::Timestamp(TimeUnit::Nanosecond, None));
    }
}
