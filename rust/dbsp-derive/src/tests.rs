//! What is said of what cannot be a row.

use syn::{DeriveInput, parse_quote};

use crate::columns::expand;

fn refusal(input: &DeriveInput) -> String {
    expand(input).expect_err("it cannot be a row").to_string()
}

#[test]
fn enums_and_unions_are_refused_with_what_to_do_instead() {
    let message = refusal(&parse_quote!(
        enum Side {
            Bid,
            Ask,
        }
    ));
    assert!(
        message.starts_with("an enum cannot be a row") && message.contains("struct of `Option`s"),
        "{message}"
    );
    let message = refusal(&parse_quote!(union Bits { whole: u32, half: u16 }));
    assert!(
        message.starts_with("a union cannot be a row") && message.contains("make it a struct"),
        "{message}"
    );
}

#[test]
fn parameters_are_refused() {
    for input in [
        parse_quote!(
            struct Pair<T>(T, T);
        ),
        parse_quote!(
            struct Name<'a> {
                text: &'a str,
            }
        ),
    ] {
        assert!(refusal(&input).starts_with("a row has no parameters"), "{}", refusal(&input));
    }
}

#[test]
fn no_field_is_no_row() {
    for input in [
        parse_quote!(
            struct Nothing;
        ),
        parse_quote!(
            struct Nothing {}
        ),
        parse_quote!(
            struct Nothing();
        ),
    ] {
        assert!(refusal(&input).ends_with("the row of none is `()`"), "{}", refusal(&input));
    }
}

#[test]
fn everything_made_for_a_public_struct_is_documented_and_public() {
    let input: DeriveInput = parse_quote! {
        pub struct Trade { /** Its symbol. */ pub symbol: String, pub r#type: i64, hidden: u8 }
    };
    let made = expand(&input).expect("a struct of rows is a row");
    let file: syn::File = syn::parse2(made).expect("what is made parses");
    let structs: Vec<_> = file
        .items
        .iter()
        .filter_map(|item| match item {
            syn::Item::Struct(made) => Some(made),
            _ => None,
        })
        .collect();
    assert_eq!(
        structs.iter().map(|made| made.ident.to_string()).collect::<Vec<_>>(),
        ["TradeRef", "TradeColumns"]
    );
    for made in structs {
        assert!(
            matches!(made.vis, syn::Visibility::Public(_))
                && made.attrs.iter().any(|attr| attr.path().is_ident("doc"))
        );
        for (field, of) in made.fields.iter().zip(["public", "public", "inherited"]) {
            assert_eq!(matches!(field.vis, syn::Visibility::Public(_)), of == "public");
            assert!(field.attrs.iter().any(|attr| attr.path().is_ident("doc")));
        }
    }
}
