// A client of each dialect, with the code that oapi-codegen makes of its description: steps NATIVE-URL URL KEY RECEIVER. generated_test.py
// puts that code beside this file and compiles both. It prints a line for each step that went as it should.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	"postern/tests/clients/steps/asyncjobs"
	"postern/tests/clients/steps/asyncqueue"
	"postern/tests/clients/steps/native"
	"postern/tests/clients/steps/taskmq"
)

var ctx = context.Background()

func authorized(_ context.Context, request *http.Request) error {
	request.Header.Set("Authorization", "Bearer "+os.Args[3])
	return nil
}

// said checks a step: no error, the status, and that the answer was read into its type.
func said(step string, err error, status, expected int, typed any) {
	text, _ := json.Marshal(typed)
	if err != nil || status != expected || string(text) == "null" {
		fmt.Printf("%s: %v, status %d, %s\n", step, err, status, text)
		os.Exit(1)
	}
	fmt.Println(step)
}

// member returns a member of what an answer was read into, as text.
func member(typed any, path ...string) string {
	text, err := json.Marshal(typed)
	if err != nil {
		panic(err)
	}
	for _, name := range path {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(text, &object); err != nil {
			panic(err)
		}
		text = object[name]
	}
	return strings.Trim(string(text), `"`)
}

// read makes a typed body of JSON.
func read[Body any](text string) (body Body) {
	decoder := json.NewDecoder(strings.NewReader(strings.ReplaceAll(text, "RECEIVER", os.Args[4])))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		panic(err)
	}
	return body
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func speakNative() {
	client := must(native.NewClientWithResponses(os.Args[1], native.WithRequestEditorFn(authorized)))
	body := read[native.CreateTaskJSONRequestBody](`{"queue": "generated", "webhook_url": "RECEIVER", "delay": 3600,
		"payload": {"n": 1}, "tags": ["a"], "headers": {"X-One": "1"}}`)
	made, err := client.CreateTaskWithResponse(ctx, nil, body)
	said("native create", err, made.StatusCode(), 201, made.JSON201)
	id := member(made.JSON201, "id")
	got, err := client.GetTaskWithResponse(ctx, id, nil)
	said("native get", err, got.StatusCode(), 200, got.JSON200)
	listed, err := client.ListTasksWithResponse(ctx, nil)
	said("native list", err, listed.StatusCode(), 200, listed.JSON200)
	cancelled, err := client.CancelTaskWithResponse(ctx, id)
	said("native cancel", err, cancelled.StatusCode(), 200, cancelled.JSON200)
	again, err := client.CancelTaskWithResponse(ctx, id)
	said("native cancel again", err, again.StatusCode(), 409, again.JSON409)
	nobody, err := client.GetTaskWithResponse(ctx, "nobody", nil)
	said("native get nobody", err, nobody.StatusCode(), 404, nobody.JSON404)
	stranger := must(native.NewClientWithResponses(os.Args[1]))
	refused, err := stranger.ListTasksWithResponse(ctx, nil)
	said("native without a key", err, refused.StatusCode(), 401, refused.JSON401)
	queue, err := client.CreateQueueWithResponse(ctx, read[native.CreateQueueJSONRequestBody](
		`{"name": "generated2", "max_concurrent": 2, "rate_limit": {"count": 5, "period_seconds": 1}}`))
	said("native queue", err, queue.StatusCode(), 201, queue.JSON201)
	endpoint, err := client.PutEndpointWithResponse(ctx, "generated", read[native.PutEndpointJSONRequestBody](`{"url": "RECEIVER"}`))
	said("native endpoint", err, endpoint.StatusCode(), 201, endpoint.JSON201)
	schedule, err := client.CreateScheduleWithResponse(ctx, read[native.CreateScheduleJSONRequestBody](
		`{"name": "generated", "schedule": "0 3 * * *", "queue": "generated", "webhook_url": "RECEIVER"}`))
	said("native schedule", err, schedule.StatusCode(), 201, schedule.JSON201)
	batch, err := client.CreateTasksWithResponse(ctx, nil, read[native.CreateTasksJSONRequestBody](
		`{"tasks": [{"queue": "generated", "webhook_url": "RECEIVER", "delay": 60}]}`))
	said("native batch", err, batch.StatusCode(), 200, batch.JSON200)
	stats, err := client.GetStatsWithResponse(ctx)
	said("native stats", err, stats.StatusCode(), 200, stats.JSON200)
}

func speakAsyncQueue() {
	client := must(asyncqueue.NewClientWithResponses(os.Args[2]+"/asyncqueue", asyncqueue.WithRequestEditorFn(authorized)))
	body := read[asyncqueue.CreateTaskJSONRequestBody](
		`{"targetUrl": "RECEIVER", "body": "{}", "delayUntil": "2030-06-01T00:00:00Z", "headers": {"X-One": "1"}}`)
	made, err := client.CreateTaskWithResponse(ctx, nil, body)
	said("asyncqueue create", err, made.StatusCode(), 201, made.JSON201)
	id := member(made.JSON201, "task", "id")
	got, err := client.GetTaskWithResponse(ctx, id, nil)
	said("asyncqueue get", err, got.StatusCode(), 200, got.JSON200)
	listed, err := client.ListTasksWithResponse(ctx, nil)
	said("asyncqueue list", err, listed.StatusCode(), 200, listed.JSON200)
	cancelled, err := client.CancelTaskWithResponse(ctx, id)
	said("asyncqueue cancel", err, cancelled.StatusCode(), 200, cancelled.JSON200)
	again, err := client.CancelTaskWithResponse(ctx, id)
	said("asyncqueue cancel again", err, again.StatusCode(), 409, again.JSON409)
}

func speakTaskMq() {
	client := must(taskmq.NewClientWithResponses(os.Args[2]+"/taskmq", taskmq.WithRequestEditorFn(authorized)))
	body := read[taskmq.AddJobJSONRequestBody](`{"payload": {"n": 1}, "handler": "generated", "priority": 10,
		"scheduled_for": "2030-06-01T00:00:00Z"}`)
	made, err := client.AddJobWithResponse(ctx, nil, body)
	said("taskmq add", err, made.StatusCode(), 200, made.JSON200)
	id := member(made.JSON200, "job_id")
	got, err := client.GetJobWithResponse(ctx, id)
	said("taskmq get", err, got.StatusCode(), 200, got.JSON200)
	named := read[taskmq.CancelJobJSONRequestBody](`{"job_id": ` + id + `}`)
	cancelled, err := client.CancelJobWithResponse(ctx, named)
	said("taskmq cancel", err, cancelled.StatusCode(), 200, cancelled.JSON200)
	again, err := client.CancelJobWithResponse(ctx, named)
	said("taskmq cancel again", err, again.StatusCode(), 409, again.JSON409)
	nobody, err := client.GetJobWithResponse(ctx, "999999999")
	said("taskmq get nobody", err, nobody.StatusCode(), 404, nobody.JSON404)
}

func speakAsyncJobs() {
	client := must(asyncjobs.NewClientWithResponses(os.Args[2]+"/asyncjobs", asyncjobs.WithRequestEditorFn(authorized)))
	queue, err := client.CreateQueueWithResponse(ctx, read[asyncjobs.CreateQueueJSONRequestBody](`{"name": "GENERATED"}`))
	said("asyncjobs queue", err, queue.StatusCode(), 201, queue.JSON201)
	body := read[asyncjobs.CreateTaskJSONRequestBody](`{"type": "generated:none", "queue": "HELD", "payload": {"n": 1}}`)
	made, err := client.CreateTaskWithResponse(ctx, nil, body)
	said("asyncjobs create", err, made.StatusCode(), 201, made.JSON201)
	id := member(made.JSON201, "id")
	got, err := client.GetTaskWithResponse(ctx, id)
	said("asyncjobs get", err, got.StatusCode(), 200, got.JSON200)
	listed, err := client.ListTasksWithResponse(ctx, nil)
	said("asyncjobs list", err, listed.StatusCode(), 200, listed.JSON200)
	cancelled, err := client.CancelTaskWithResponse(ctx, id)
	said("asyncjobs cancel", err, cancelled.StatusCode(), 200, cancelled.JSON200)
}

func main() {
	speakNative()
	speakAsyncQueue()
	speakTaskMq()
	speakAsyncJobs()
}
