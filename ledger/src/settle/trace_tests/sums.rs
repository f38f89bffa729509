//! Calls whose usage contains that of the calls before them.

use spanledger_schemas::running_sum::RunningSum;

use super::*;

// Spring AI: 3893 tokens in, then 3893 + 3986, then all three.
#[test]
fn of_a_running_sum_each_call_has_what_the_one_before_does_not_tell() {
    let call = |id: u64, second: i64, input: i64, sum: Option<RunningSum>| {
        inference(id, 9, input).at(second).with(|f| f.sum = sum)
    };
    let before = |spans: &[S]| -> Vec<_> {
        settle(spans).calls.iter().map(|c| (c.span, c.less.map(|row| row.row))).collect()
    };
    let (goes_on, ends) = (Some(RunningSum::GoesOn), Some(RunningSum::Ends));
    let answer = [
        call(1, 0, 3_893, goes_on),
        call(2, 1, 7_879, goes_on),
        call(3, 2, 12_212, ends),
        // Another answer below the same span.
        call(4, 3, 20_000, ends),
    ];
    assert_eq!(before(&answer), [(1, None), (2, Some(1)), (3, Some(2)), (4, None)]);
    // Less than before, at the same time, or below another span: no sum.
    for next in [
        call(2, 1, 3_000, ends),
        call(2, 0, 7_879, ends),
        inference(2, 8, 7_879).at(1).with(|f| f.sum = ends),
        call(2, 1, 7_879, None),
    ] {
        assert_eq!(before(&[answer[0], next]), [(1, None), (2, None)]);
    }
    // Gemini stops for tools, too; a tool in between tells that the answer went on.
    let tool = |id: u64, second: i64| {
        let mut tool = inference(id, 9, None).at(second).with(|f| f.sum = goes_on);
        (tool.view.role, tool.view.duration_ns) = (Role::Tool, SECOND / 2);
        tool
    };
    let stopped = call(1, 0, 3_893, ends);
    let (next, found) = (call(2, 3, 7_879, ends), vec![(1, None), (2, Some(1))]);
    assert_eq!(before(&[stopped, tool(5, 1), tool(6, 2), next]), found);
    for other in [tool(5, 3), tool(5, 0), tool(5, 1).with(|f| f.scope = 7)] {
        assert_eq!(before(&[stopped, other, next]), [(1, None), (2, None)]);
    }
    // What the first does not tell is in the sum all the same.
    let untold = answer[0].with(|f| f.output = None);
    assert_eq!(
        before(&[untold, answer[1].with(|f| f.output = Some(20))]),
        [(1, None), (2, Some(1))]
    );
}
