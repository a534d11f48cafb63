// Verifies webhooks with the Go library of Standard Webhooks; tests/clients/webhooks_test.py tells the lines.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func verdict(fields [][]byte) string {
	webhook, err := standardwebhooks.NewWebhook(string(fields[0]))
	if err != nil {
		return err.Error()
	}
	headers := http.Header{}
	headers.Set(standardwebhooks.HeaderWebhookID, string(fields[1]))
	headers.Set(standardwebhooks.HeaderWebhookTimestamp, string(fields[2]))
	headers.Set(standardwebhooks.HeaderWebhookSignature, string(fields[3]))
	if err := webhook.Verify(fields[4], headers); err != nil {
		return err.Error()
	}
	return "ok"
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var fields [][]byte
		for _, each := range strings.Split(lines.Text(), " ") {
			field, err := base64.StdEncoding.DecodeString(each)
			if err != nil {
				panic(err)
			}
			fields = append(fields, field)
		}
		fmt.Println(verdict(fields))
	}
}
