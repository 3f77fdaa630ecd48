// Runs the cases it is given through lib/pq or pgx (database/sql); JSON in, JSON out. See cases.py for the steps.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	_ "github.com/jackc/pgx/v4/stdlib"
	_ "github.com/lib/pq"
)

type any_ = interface{}

type asked struct {
	Driver string
	At     struct{ Url string }
	Cases  []struct {
		Name  string
		Steps [][]any_
	}
}

type session struct {
	db   *sql.DB
	conn *sql.Conn
}

var ctx = context.Background()

func shown(v any_) any_ {
	switch x := v.(type) {
	case nil:
		return nil
	case []byte:
		return "bytes:" + string(x)
	case time.Time:
		return "Time:" + x.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%T:%v", v, v)
}

func rows(r *sql.Rows) (any_, error) {
	defer r.Close()
	columns, err := r.Columns()
	if err != nil {
		return nil, err
	}
	found := [][]any_{}
	for r.Next() {
		row, into := make([]any_, len(columns)), make([]any_, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := r.Scan(into...); err != nil {
			return nil, err
		}
		for i := range row {
			row[i] = shown(row[i])
		}
		found = append(found, row)
	}
	return map[string]any_{"rows": found}, r.Err()
}

var reads = regexp.MustCompile(`^(SELECT|SHOW)`)

func number(v any_) any_ {
	if f, ok := v.(float64); ok {
		return int64(f)
	}
	return v
}

func (s *session) query(c context.Context, text string, values ...any_) (any_, error) {
	for i := range values {
		values[i] = number(values[i])
	}
	if reads.MatchString(text) {
		r, err := s.conn.QueryContext(c, text, values...)
		if err != nil {
			return nil, err
		}
		return rows(r)
	}
	done, err := s.conn.ExecContext(c, text, values...)
	if err != nil {
		return nil, err
	}
	count, _ := done.RowsAffected()
	return map[string]any_{"count": count}, nil
}

func (s *session) quiet(text string) (any_, error) {
	_, err := s.conn.ExecContext(ctx, text)
	return struct{}{}, err
}

func (s *session) repeat(text string, sets []any_) (any_, error) {
	statement, err := s.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer statement.Close()
	found := []any_{}
	for _, set := range sets {
		r, err := statement.QueryContext(ctx, number(set.([]any_)[0]))
		if err != nil {
			return nil, err
		}
		got, err := rows(r)
		if err != nil {
			return nil, err
		}
		found = append(found, got)
	}
	return found, nil
}

// database/sql has no cursors: rows stream as they come, and a cursor is SQL.
func (s *session) fetch(text string, size int) (any_, error) {
	count, sum := 0, int64(0)
	s.quiet("BEGIN")
	if _, err := s.quiet("DECLARE big CURSOR FOR " + text); err != nil {
		return nil, err
	}
	for {
		r, err := s.conn.QueryContext(ctx, fmt.Sprintf("FETCH %d FROM big", size))
		if err != nil {
			return nil, err
		}
		got := 0
		for r.Next() {
			var g int64
			var word string
			if err := r.Scan(&g, &word); err != nil {
				return nil, err
			}
			got, sum = got+1, sum+g
		}
		count += got
		if got == 0 {
			break
		}
	}
	_, err := s.quiet("COMMIT")
	return []int64{int64(count), sum}, err
}

func (s *session) within(seconds float64, text string) (any_, error) {
	c, cancel := context.WithTimeout(ctx, time.Duration(seconds*float64(time.Second)))
	defer cancel()
	got, err := s.query(c, text)
	// Both drivers give up a connection whose context ended; the pool makes another.
	for try := 0; try < 3; try++ {
		s.conn.Close()
		conn, failed := s.db.Conn(ctx)
		if failed != nil {
			return nil, failed
		}
		if s.conn = conn; s.conn.PingContext(ctx) == nil {
			break
		}
	}
	return got, err
}

func (s *session) step(words []any_) (any_, error) {
	text := ""
	if len(words) > 1 {
		text, _ = words[1].(string)
	}
	switch words[0].(string) {
	case "query":
		values := []any_{}
		if len(words) > 2 {
			values = words[2].([]any_)
		}
		return s.query(ctx, text, values...)
	case "repeat":
		return s.repeat(text, words[2].([]any_))
	case "begin":
		return s.quiet("BEGIN")
	case "commit":
		return s.quiet("COMMIT")
	case "savepoint":
		return s.quiet("SAVEPOINT " + text)
	case "rollback_to":
		return s.quiet("ROLLBACK TO SAVEPOINT " + text)
	case "fetch":
		return s.fetch(text, int(words[2].(float64)))
	case "cancel":
		return s.within(words[2].(float64), text)
	case "timeout":
		return s.within(words[2].(float64), text)
	case "reset":
		s.conn.Close()
		conn, err := s.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		s.conn = conn
		return s.quiet("DISCARD ALL")
	}
	return struct{}{}, nil
}

func run(a *asked, steps [][]any_) (any_, error) {
	name := map[string]string{"lib-pq": "postgres", "pgx": "pgx"}[a.Driver]
	db, err := sql.Open(name, a.At.Url+"?sslmode=disable")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	s := session{db: db}
	if s.conn, err = db.Conn(ctx); err != nil {
		return nil, err
	}
	defer func() { s.conn.Close() }()
	told := []any_{}
	for _, words := range steps {
		got, err := s.step(words)
		if err != nil {
			got = map[string]any_{"error": err.Error(), "type": fmt.Sprintf("%T", errors.Unwrap(err))}
		}
		told = append(told, got)
	}
	return told, nil
}

func main() {
	var a asked
	if err := json.NewDecoder(os.Stdin).Decode(&a); err != nil {
		panic(err)
	}
	told := map[string]any_{}
	for _, c := range a.Cases {
		got, err := run(&a, c.Steps)
		if err != nil {
			got = map[string]any_{"failed": err.Error()}
		}
		told[c.Name] = got
	}
	json.NewEncoder(os.Stdout).Encode(told)
}
