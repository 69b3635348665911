//! Tokens to a tree, by CEL's precedence.

use super::{
    Comparison, Counter, TripError,
    token::{Placed, Token, tokens},
};

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Int(i64),
    Double(f64),
    Bool(bool),
    Counter(Counter),
    /// A name nobody knows, also as a function.
    Unknown,
    Not(Box<Self>),
    Minus(Box<Self>),
    ToInt(Box<Self>),
    ToDouble(Box<Self>),
    Calculate(Calculation, Box<(Self, Self)>),
    Compare(Comparison, Box<(Self, Self)>),
    And(Box<(Self, Self)>),
    Or(Box<(Self, Self)>),
    /// Condition, then, else.
    Choose(Box<(Self, Self, Self)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calculation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Levels of nesting: far more than anybody writes, far less than a stack.
const DEEPEST: usize = 100;
/// Nodes of one expression: what hangs to the left nests as deep as it is
/// long.
const LONGEST: usize = 1000;

pub(super) fn parse(text: &str) -> Result<Node, TripError> {
    let tokens = tokens(text)?;
    if tokens.len() > LONGEST {
        return Err(TripError {
            column: 1,
            reason: "expression is too long".to_owned(),
        });
    }
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let node = parser.choice()?;
    match parser.token() {
        Token::End => Ok(node),
        _ => Err(parser.unexpected()),
    }
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn token(&self) -> &Token {
        self.tokens
            .get(self.at)
            .map_or(&Token::End, |(token, _)| token)
    }

    /// Passes one of these marks, if it is next.
    fn take(&mut self, marks: &[&'static str]) -> Option<&'static str> {
        let Token::Mark(mark) = self.token() else {
            return None;
        };
        let mark = *mark;
        marks.contains(&mark).then(|| {
            self.at += 1;
            mark
        })
    }

    fn expect(&mut self, mark: &'static str) -> Result<(), TripError> {
        self.take(&[mark])
            .map(|_| ())
            .ok_or_else(|| self.unexpected())
    }

    fn unexpected(&self) -> TripError {
        let column = self.tokens.get(self.at).map_or(1, |(_, column)| *column);
        let shown = match self.token() {
            Token::Int(number) => format!("'{number}'"),
            Token::Double(number) => format!("'{number}'"),
            Token::Name(name) => format!("'{name}'"),
            Token::Mark(mark) => format!("'{mark}'"),
            Token::End => "'<EOF>'".to_owned(),
        };
        TripError {
            column,
            reason: format!("Syntax error: mismatched input {shown}"),
        }
    }

    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, TripError>,
    ) -> Result<T, TripError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TripError {
                column: self.tokens.get(self.at).map_or(1, |(_, column)| *column),
                reason: "expression recursion limit exceeded".to_owned(),
            });
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn choice(&mut self) -> Result<Node, TripError> {
        let condition = self.or()?;
        if self.take(&["?"]).is_none() {
            return Ok(condition);
        }
        let then = self.nested(Self::or)?;
        self.expect(":")?;
        let otherwise = self.nested(Self::choice)?;
        Ok(Node::Choose(Box::new((condition, then, otherwise))))
    }

    fn or(&mut self) -> Result<Node, TripError> {
        let mut node = self.and()?;
        while self.take(&["||"]).is_some() {
            node = Node::Or(Box::new((node, self.and()?)));
        }
        Ok(node)
    }

    fn and(&mut self) -> Result<Node, TripError> {
        let mut node = self.comparison()?;
        while self.take(&["&&"]).is_some() {
            node = Node::And(Box::new((node, self.comparison()?)));
        }
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, TripError> {
        let mut node = self.sum()?;
        while let Some(mark) = self.take(&["==", "!=", "<=", ">=", "<", ">"]) {
            let comparison = match mark {
                "==" => Comparison::Equal,
                "!=" => Comparison::Unequal,
                "<=" => Comparison::AtMost,
                ">=" => Comparison::AtLeast,
                "<" => Comparison::Less,
                _ => Comparison::Greater,
            };
            node = Node::Compare(comparison, Box::new((node, self.sum()?)));
        }
        Ok(node)
    }

    fn sum(&mut self) -> Result<Node, TripError> {
        let mut node = self.product()?;
        while let Some(mark) = self.take(&["+", "-"]) {
            let calculation = if mark == "+" {
                Calculation::Add
            } else {
                Calculation::Subtract
            };
            node = Node::Calculate(calculation, Box::new((node, self.product()?)));
        }
        Ok(node)
    }

    fn product(&mut self) -> Result<Node, TripError> {
        let mut node = self.unary()?;
        while let Some(mark) = self.take(&["*", "/", "%"]) {
            let calculation = match mark {
                "*" => Calculation::Multiply,
                "/" => Calculation::Divide,
                _ => Calculation::Remainder,
            };
            node = Node::Calculate(calculation, Box::new((node, self.unary()?)));
        }
        Ok(node)
    }

    fn unary(&mut self) -> Result<Node, TripError> {
        match self.take(&["!", "-"]) {
            Some("!") => Ok(Node::Not(Box::new(self.nested(Self::unary)?))),
            Some(_) => Ok(Node::Minus(Box::new(self.nested(Self::unary)?))),
            None => self.primary(),
        }
    }

    fn primary(&mut self) -> Result<Node, TripError> {
        if self.take(&["("]).is_some() {
            let node = self.nested(Self::choice)?;
            self.expect(")")?;
            return Ok(node);
        }
        let token = self.token().clone();
        let node = match token {
            Token::Int(number) => Node::Int(number),
            Token::Double(number) => Node::Double(number),
            Token::Name(name) => return self.named(&name),
            Token::Mark(_) | Token::End => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(node)
    }

    fn named(&mut self, name: &str) -> Result<Node, TripError> {
        self.at += 1;
        if self.take(&["("]).is_some() {
            let mut arguments = self.arguments()?;
            return Ok(match (name, arguments.pop(), arguments.is_empty()) {
                ("int", Some(only), true) => Node::ToInt(Box::new(only)),
                ("double", Some(only), true) => Node::ToDouble(Box::new(only)),
                _ => Node::Unknown,
            });
        }
        Ok(match name {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            _ => Counter::named(name).map_or(Node::Unknown, Node::Counter),
        })
    }

    fn arguments(&mut self) -> Result<Vec<Node>, TripError> {
        let mut arguments = Vec::new();
        if self.take(&[")"]).is_some() {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.nested(Self::choice)?);
            if self.take(&[","]).is_none() {
                self.expect(")")?;
                return Ok(arguments);
            }
        }
    }
}
