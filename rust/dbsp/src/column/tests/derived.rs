//! Derived columns: structs are rows as tuples are.

use super::*;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
pub(crate) struct Level(pub(crate) u8, pub(crate) Option<i32>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
pub(crate) struct Trade {
    pub(crate) symbol: String,
    pub(crate) price: F64,
    pub(crate) level: Level,
    pub(crate) r#type: Option<String>,
    pub(crate) key: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
struct Small {
    first: u16,
    second: Option<u8>,
    third: (bool, i8),
}

impl Trade {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let level = any::<(u8, Option<i32>)>().prop_map(|(first, second)| Level(first, second));
        ("[a-c]{0,3}", any::<f64>(), level, any::<Option<String>>(), any::<i64>()).prop_map(
            |(symbol, price, level, r#type, key)| Self { symbol, price: F64::new(price), level, r#type, key },
        )
    }
}

proptest! {
    #[test]
    fn structs_are_rows(trades in vec(Trade::any(), 0..60), numbers in vec(any::<usize>(), 0..60)) {
        holds(&trades, &numbers);
        holds(&trades.iter().map(|trade| trade.level.clone()).collect::<Vec<_>>(), &numbers);
        holds(&trades.iter().map(|trade| Some(trade.clone())).collect::<Vec<_>>(), &numbers);
    }

    #[test]
    fn structs_hash_as_tuples(trade in Trade::any()) {
        let Trade { symbol, price, level, r#type, key } = trade.clone();
        let level_hash = <(u8, Option<i32>)>::hash((level.0, level.1));
        prop_assert_eq!(Level::hash(level.borrow()), level_hash);
        let tuple = (symbol, price, (level.0, level.1), r#type, key);
        prop_assert_eq!(Trade::hash(trade.borrow()), <(String, F64, (u8, Option<i32>), Option<String>, i64)>::hash(tuple.borrow()));
    }
}

#[test]
fn small_structs_have_hashes_that_are_one_to_one() {
    assert_eq!(Small::WIDTH, Some(6));
    assert_eq!(Level::WIDTH, Some(6));
    assert_eq!(Trade::WIDTH, None);
    let rows: Vec<Small> = (0..40)
        .flat_map(|first| {
            [None, Some(0), Some(1)].map(|second| Small { first, second, third: (first % 2 == 0, -1) })
        })
        .collect();
    holds(&rows, &[3, 1, 1, 39]);
}

#[test]
fn a_reference_reads_as_its_struct() {
    let row = Small { first: 1, second: None, third: (true, -1) };
    let column = column_of([row.clone()]);
    let SmallRef { first, second, third } = column.get(0);
    assert_eq!((first, second, third), (1, None, (true, -1)));
    assert_eq!(format!("{:?}", row.borrow()), "SmallRef { first: 1, second: None, third: (true, -1) }");
    assert!(
        Level(1, None).borrow() < Level(1, Some(0)).borrow()
            && Level(1, Some(5)).borrow() < Level(2, None).borrow()
    );
}
