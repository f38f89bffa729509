// Pgx and lib/pq on the PostgreSQL door, the drivers of Grafana and of most tools in Go. Takes host
// and port; says what it read, one line of JSON each. What it should be is for the caller to know.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/lib/pq"
)

const endless = "SELECT count(*) FROM generate_series(1, 1000000) AS a(x) CROSS JOIN " +
	"generate_series(1, 1000000) AS b(y) WHERE (x * y) % 1000003 = -1"

const query = "SELECT span_id, input_tokens, cost::text, started_at, duration_ms, region FROM calls " +
	"WHERE service_name = $1 AND input_tokens >= $2 AND started_at > $3 ORDER BY started_at"

const anyOf = "SELECT count(*) FROM calls WHERE service_name = 'traffic' AND input_tokens = ANY($1) AND request_model = ANY($2)"

var since = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func say(name string, value any) {
	line, err := json.Marshal([]any{name, value})
	check(err)
	fmt.Println(string(line))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

type row struct {
	SpanID   string    `json:"span_id"`
	Tokens   int64     `json:"input_tokens"`
	Cost     string    `json:"cost"`
	At       time.Time `json:"started_at"`
	Duration float64   `json:"duration_ms"`
	Region   *string   `json:"region"`
}

func (r *row) into() []any {
	return []any{&r.SpanID, &r.Tokens, &r.Cost, &r.At, &r.Duration, &r.Region}
}

func withPgx(ctx context.Context, url string) {
	conn, err := pgx.Connect(ctx, url)
	check(err)
	defer conn.Close(ctx)

	modes := map[string]pgx.QueryExecMode{
		"pgx prepared":  pgx.QueryExecModeCacheStatement,
		"pgx described": pgx.QueryExecModeCacheDescribe,
		"pgx exec":      pgx.QueryExecModeExec,
		"pgx simple":    pgx.QueryExecModeSimpleProtocol,
	}
	for name, mode := range modes {
		found, err := conn.Query(ctx, query, mode, "traffic", int64(1000), since)
		check(err)
		var all []row
		for found.Next() {
			var one row
			check(found.Scan(one.into()...))
			all = append(all, one)
		}
		check(found.Err())
		say(name, all)
	}

	var count int64
	check(conn.QueryRow(ctx, anyOf, []int64{1000, 3000, 7}, []string{"gpt-4o", "x"}).Scan(&count))
	say("pgx any", count)

	var attributes map[string]any
	check(conn.QueryRow(ctx, "SELECT resource_attributes FROM spans WHERE service_name = 'traffic' LIMIT 1").Scan(&attributes))
	say("pgx json", attributes != nil)

	batch := &pgx.Batch{}
	for i := range 5 {
		batch.Queue("SELECT $1::bigint * 2", int64(i))
	}
	results := conn.SendBatch(ctx, batch)
	var doubled []int64
	for range 5 {
		var twice int64
		check(results.QueryRow().Scan(&twice))
		doubled = append(doubled, twice)
	}
	check(results.Close())
	say("pgx batch", doubled)

	var file bytes.Buffer
	copied, err := conn.PgConn().CopyTo(ctx, &file, "COPY (SELECT value FROM generate_series(1, 50500)) TO STDOUT (FORMAT csv)")
	check(err)
	say("pgx copy", []int64{copied.RowsAffected(), int64(bytes.Count(file.Bytes(), []byte("\n")))})

	soon, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err = conn.Exec(soon, endless)
	say("pgx stopped", errors.Is(err, context.DeadlineExceeded))

	other, err := pgx.Connect(ctx, url)
	check(err)
	defer other.Close(ctx)
	_, err = other.Exec(ctx, "DELETE FROM calls")
	var refusal *pgconn.PgError
	say("pgx refused", errors.As(err, &refusal) && refusal.Code == "25006" && refusal.Hint != "")
}

func withPq(url string) {
	db, err := sql.Open("postgres", url)
	check(err)
	defer db.Close()
	found, err := db.Query(query, "traffic", 1000, since)
	check(err)
	var all []row
	for found.Next() {
		var one row
		check(found.Scan(one.into()...))
		all = append(all, one)
	}
	check(found.Err())
	say("pq", all)
	var count int64
	check(db.QueryRow(anyOf, pq.Array([]int64{1000, 3000, 7}), pq.Array([]string{"gpt-4o", "x"})).Scan(&count))
	say("pq any", count)
	_, err = db.Exec("DELETE FROM calls")
	var refusal *pq.Error
	say("pq refused", errors.As(err, &refusal) && refusal.Code == "25006")
}

func main() {
	address := fmt.Sprintf("host=%s port=%s user=spanledger dbname=spanledger sslmode=disable", os.Args[1], os.Args[2])
	withPgx(context.Background(), address)
	withPq(address)
}
