// Sends requests with net/http: fetch CA 1.1|2. tests/clients/http_clients.py tells the lines.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func encoded(text []byte) string {
	if len(text) == 0 {
		return "-"
	}
	return base64.StdEncoding.EncodeToString(text)
}

func decoded(text string) []byte {
	if size, found := strings.CutPrefix(text, "size:"); found {
		number, err := strconv.Atoi(size)
		if err != nil {
			panic(err)
		}
		return bytes.Repeat([]byte("x"), number)
	}
	if text == "-" {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return data
}

func send(client *http.Client, fields []string) (string, error) {
	request, err := http.NewRequest(fields[0], fields[1], bytes.NewReader(decoded(fields[3])))
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(decoded(fields[2]))), "\n") {
		if name, value, found := strings.Cut(line, ": "); found {
			request.Header.Set(name, value)
		}
	}
	reply, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return "", err
	}
	var headers bytes.Buffer
	for name, values := range reply.Header {
		fmt.Fprintf(&headers, "%s: %s\n", name, strings.Join(values, ", "))
	}
	version := strings.TrimSuffix(strings.TrimPrefix(reply.Proto, "HTTP/"), ".0")
	return fmt.Sprintln(reply.StatusCode, version, encoded(headers.Bytes()), encoded(body)), nil
}

func main() {
	authority, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, ForceAttemptHTTP2: os.Args[2] == "2"}
	if os.Args[2] != "2" {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	client := &http.Client{Transport: transport, Timeout: 60 * time.Second}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		said, err := send(client, strings.Fields(lines.Text()))
		if err != nil {
			said = fmt.Sprintln("error", encoded([]byte(err.Error())), "-", "-")
		}
		fmt.Print(said)
	}
}
