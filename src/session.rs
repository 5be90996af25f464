//! The journey of one run: plan, measure, judge, tell.
