// A peer for the benchmarks: River, set up as its documentation advises, doing the same work as Postern.
//
//	river migrate | insert COUNT HOSTS PORT | work | serve PORT
//
// The database is that of DATABASE_URL. insert makes a backlog, work delivers it, serve inserts a job for each POST.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

const (
	maxWorkers     = 1000
	maxConnections = 32
	// As river's own benchmark has them; the defaults are 100 ms and 1 s.
	fetchCooldown     = 2 * time.Millisecond
	fetchPollInterval = 20 * time.Millisecond
)

// Webhook is a job: POST the payload, in the same envelope as Postern's, to the URL.
type Webhook struct {
	URL     string          `json:"url"`
	Payload json.RawMessage `json:"payload"`
}

func (Webhook) Kind() string { return "webhook" }

type envelope struct {
	TaskID  string          `json:"task_id"`
	Queue   string          `json:"queue"`
	Payload json.RawMessage `json:"payload"`
	Attempt int             `json:"attempt"`
}

type worker struct {
	river.WorkerDefaults[Webhook]
	client *http.Client
}

func (w *worker) Work(ctx context.Context, job *river.Job[Webhook]) error {
	body, err := json.Marshal(envelope{strconv.FormatInt(job.ID, 10), job.Queue, job.Args.Payload, job.Attempt})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, job.Args.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := w.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answered %d", answer.StatusCode)
	}
	return nil
}

func newWorker() *worker {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	return &worker{client: &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			MaxIdleConnsPerHost: maxWorkers, // connections are kept; 0 means no limit over all hosts
			DisableCompression:  true,
		},
	}}
}

func connect(ctx context.Context) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	check(err)
	config.MaxConns = maxConnections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	check(err)
	return pool
}

func migrate(ctx context.Context, pool *pgxpool.Pool) {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	check(err)
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	check(err)
}

func insert(ctx context.Context, pool *pgxpool.Pool, count, hosts, port int) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: logger()})
	check(err)
	payload := json.RawMessage(`{"order":1001,"total":"12.50"}`)
	for done := 0; done < count; {
		batch := make([]river.InsertManyParams, 0, 5000)
		for ; done < count && len(batch) < cap(batch); done++ {
			host := 1 + done%hosts
			url := fmt.Sprintf("http://127.0.%d.%d:%d/", host>>8, host&255, port)
			batch = append(batch, river.InsertManyParams{Args: Webhook{url, payload}})
		}
		_, err := client.InsertManyFast(ctx, batch)
		check(err)
	}
}

func work(ctx context.Context, pool *pgxpool.Pool) {
	workers := river.NewWorkers()
	river.AddWorker(workers, newWorker())
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		FetchCooldown:     fetchCooldown,
		FetchPollInterval: fetchPollInterval,
		JobTimeout:        30 * time.Second,
		Logger:            logger(),
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: maxWorkers}},
		Workers:           workers,
	})
	check(err)
	check(client.Start(context.Background()))
	fmt.Println("ready")
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	check(client.StopAndCancel(stop))
}

func serve(ctx context.Context, pool *pgxpool.Pool, port int) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: logger()})
	check(err)
	handler := func(answer http.ResponseWriter, request *http.Request) {
		var job Webhook
		if err := json.NewDecoder(request.Body).Decode(&job); err != nil {
			http.Error(answer, err.Error(), http.StatusBadRequest)
			return
		}
		result, err := client.Insert(request.Context(), job, nil)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		answer.Header().Set("Content-Type", "application/json")
		answer.WriteHeader(http.StatusCreated)
		fmt.Fprintf(answer, `{"id":%d,"queue":"%s","status":"pending"}`+"\n", result.Job.ID, result.Job.Queue)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jobs", handler)
	server := &http.Server{Handler: mux}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	check(err)
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	fmt.Println("ready")
	if err := server.Serve(listener); err != http.ErrServerClosed {
		check(err)
	}
}

func logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func number(at int) int {
	if at >= len(os.Args) {
		log.Fatal("usage: river migrate | insert COUNT HOSTS PORT | work | serve PORT")
	}
	value, err := strconv.Atoi(os.Args[at])
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	pool := connect(ctx)
	defer pool.Close()
	switch mode := append(os.Args, "")[1]; mode {
	case "migrate":
		migrate(ctx, pool)
	case "insert":
		insert(ctx, pool, number(2), number(3), number(4))
	case "work":
		work(ctx, pool)
	case "serve":
		serve(ctx, pool, number(2))
	default:
		log.Fatalf("unknown mode %q", mode)
	}
}
