//! The value of an expression. `None` is CEL's error: no answer.

use std::cmp::Ordering;

use super::{
    super::breaker::Counts,
    Comparison,
    parse::{Calculation, Node},
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Int(i64),
    Double(f64),
    Bool(bool),
}

pub(super) fn is_true(node: &Node, counts: &Counts) -> bool {
    value(node, counts) == Some(Value::Bool(true))
}

fn value(node: &Node, counts: &Counts) -> Option<Value> {
    Some(match node {
        Node::Int(number) => Value::Int(*number),
        Node::Double(number) => Value::Double(*number),
        Node::Bool(truth) => Value::Bool(*truth),
        Node::Counter(counter) => Value::Int(counter.of(counts)),
        Node::Unknown => return None,
        Node::Not(inner) => Value::Bool(!truth(inner, counts)?),
        Node::Minus(inner) => match value(inner, counts)? {
            Value::Int(number) => Value::Int(number.checked_neg()?),
            Value::Double(number) => Value::Double(-number),
            Value::Bool(_) => return None,
        },
        Node::ToInt(inner) => match value(inner, counts)? {
            Value::Double(number) => Value::Int(whole(number)?),
            Value::Int(number) => Value::Int(number),
            Value::Bool(_) => return None,
        },
        Node::ToDouble(inner) => Value::Double(double(value(inner, counts)?)?),
        Node::Calculate(calculation, sides) => {
            let (left, right) = (value(&sides.0, counts)?, value(&sides.1, counts)?);
            calculate(*calculation, left, right)?
        }
        Node::Compare(comparison, sides) => {
            let (left, right) = (value(&sides.0, counts)?, value(&sides.1, counts)?);
            Value::Bool(compare(*comparison, left, right)?)
        }
        Node::And(sides) => absorbing(sides, counts, false)?,
        Node::Or(sides) => absorbing(sides, counts, true)?,
        Node::Choose(parts) => {
            let (condition, then, otherwise) = &**parts;
            let chosen = if truth(condition, counts)? {
                then
            } else {
                otherwise
            };
            return value(chosen, counts);
        }
    })
}

fn truth(node: &Node, counts: &Counts) -> Option<bool> {
    match value(node, counts)? {
        Value::Bool(truth) => Some(truth),
        Value::Int(_) | Value::Double(_) => None,
    }
}

/// One side that settles the matter is enough, whatever the other is.
fn absorbing(sides: &(Node, Node), counts: &Counts, settles: bool) -> Option<Value> {
    let left = truth(&sides.0, counts);
    if left == Some(settles) {
        return Some(Value::Bool(settles));
    }
    let right = truth(&sides.1, counts);
    if right == Some(settles) {
        return Some(Value::Bool(settles));
    }
    (left.is_some() && right.is_some()).then_some(Value::Bool(!settles))
}

fn calculate(calculation: Calculation, left: Value, right: Value) -> Option<Value> {
    Some(match (left, right) {
        (Value::Int(left), Value::Int(right)) => Value::Int(match calculation {
            Calculation::Add => left.checked_add(right),
            Calculation::Subtract => left.checked_sub(right),
            Calculation::Multiply => left.checked_mul(right),
            Calculation::Divide => left.checked_div(right),
            Calculation::Remainder => left.checked_rem(right),
        }?),
        (Value::Double(left), Value::Double(right)) => Value::Double(match calculation {
            Calculation::Add => left + right,
            Calculation::Subtract => left - right,
            Calculation::Multiply => left * right,
            Calculation::Divide => left / right,
            Calculation::Remainder => return None,
        }),
        // Kinds are compared with each other, never mixed in a sum.
        _ => return None,
    })
}

fn compare(comparison: Comparison, left: Value, right: Value) -> Option<bool> {
    let order = match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(&right)),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(&right)),
        (Value::Bool(_), _) | (_, Value::Bool(_)) => {
            return match comparison {
                Comparison::Equal => Some(false),
                Comparison::Unequal => Some(true),
                _ => None,
            };
        }
        (left, right) => double(left)?.partial_cmp(&double(right)?),
    };
    // Nothing is comparable with what is no number, not even itself.
    Some(
        order.map_or(comparison == Comparison::Unequal, |order: Ordering| {
            comparison.holds(order)
        }),
    )
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counters and literals of conditions are far below 2^53"
)]
fn double(value: Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(number as f64),
        Value::Double(number) => Some(number),
        Value::Bool(_) => None,
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "truncation is what the function is for; the range is checked"
)]
fn whole(number: f64) -> Option<i64> {
    const LIMIT: f64 = 9.2e18;
    (number.abs() < LIMIT).then_some(number as i64)
}
