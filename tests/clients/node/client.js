// node-postgres on the PostgreSQL door, with its cursors and streams. Takes host and port; says what
// it read, one line of JSON each. What it should be is for the caller to know.
"use strict";

const { Client } = require("pg");
const Cursor = require("pg-cursor");
const QueryStream = require("pg-query-stream");

const SERIES = "SELECT value FROM generate_series(1, 50500) ORDER BY value";
const ENDLESS =
  "SELECT count(*) FROM generate_series(1, 1000000) AS a(x) CROSS JOIN " +
  "generate_series(1, 1000000) AS b(y) WHERE (x * y) % 1000003 = -1";

function say(name, value) {
  console.log(JSON.stringify([name, value]));
}

async function main(host, port) {
  const client = new Client({ host, port: Number(port), user: "spanledger", database: "spanledger" });
  await client.connect();

  const query =
    "SELECT span_id, input_tokens, cost, started_at, duration_ms, region FROM calls " +
    "WHERE service_name = $1 AND input_tokens >= $2 AND cost < $3 AND started_at > $4 ORDER BY started_at";
  const since = new Date("2026-11-01T00:00:00Z");
  const values = ["traffic", 1000, "100000000000.5", since];
  say("rows", (await client.query(query, values)).rows);
  say("named", (await client.query({ name: "n", text: query, values })).rowCount);

  const any = "SELECT count(*) FROM calls WHERE service_name = 'traffic' AND input_tokens = ANY($1) AND request_model = ANY($2)";
  say("any", (await client.query(any, [[1000, 3000, 7], ["gpt-4o", "x"]])).rows[0].count);
  const arrays = "SELECT array_agg(request_model) AS models, span_attributes FROM spans WHERE service_name = 'traffic' GROUP BY span_attributes";
  say("arrays", (await client.query(arrays)).rows);

  const cursor = client.query(new Cursor(SERIES));
  let count = 0;
  let sum = 0;
  for (let rows = await cursor.read(1000); rows.length > 0; rows = await cursor.read(1000)) {
    count += rows.length;
    sum += rows.reduce((total, row) => total + Number(row.value), 0);
  }
  say("cursor", [count, sum]);
  await cursor.close();

  const half = client.query(new Cursor(SERIES));
  await half.read(10);
  await half.close();
  say("closed early", (await client.query("SELECT 1 AS one")).rows);

  let streamed = 0;
  for await (const row of client.query(new QueryStream(SERIES, [], { batchSize: 500 }))) {
    streamed += Number(row.value);
  }
  say("stream", streamed);

  const refused = {};
  for (const text of ["DELETE FROM calls", "SELECT * FROM nothing", "SELECT nothing FROM calls"]) {
    refused[text] = await client.query(text).then(() => "done", (error) => error.code);
  }
  say("refused", refused);
  await client.query("SET statement_timeout = 300");
  say("stopped", await client.query(ENDLESS).then(() => "done", (error) => error.code));
  await client.end();
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(error);
  process.exit(1);
});
