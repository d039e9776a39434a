// Command receiver is an OTLP/HTTP sink for metrics that reports which collector
// sent each series. The otlphttp exporter of a collector uses the endpoint
// http://ADDRESS/c/COLLECTOR and adds /v1/metrics.
//
// API:
//
//	POST /c/{collector}/v1/metrics          OTLP metrics, protobuf, plain or gzip
//	GET  /series?name=NAME[&since=SECONDS]  JSON list of the metric's series with
//	    a point in the last SECONDS, by the time of the point (default: at any time)
package main

import (
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("receiver: ")
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	flag.Parse()

	store := &store{metrics: map[string]map[string]*series{}}
	http.HandleFunc("POST /c/{collector}/v1/metrics", store.receive)
	http.HandleFunc("GET /series", store.serve)
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}

// series is one series as one collector sent it.
type series struct {
	Collector  string         `json:"collector"`
	Resource   map[string]any `json:"resource"`
	Attributes map[string]any `json:"attributes"`
	// Value and Time are the newest point's.
	Value float64   `json:"value"`
	Time  time.Time `json:"time"`
	// Points counts all points ever received.
	Points int `json:"points"`
}

// store keeps the newest point of every series, by metric name and the text that
// identifies the series.
type store struct {
	mutex   sync.Mutex
	metrics map[string]map[string]*series
}

func (s *store) receive(response http.ResponseWriter, request *http.Request) {
	export, err := readExport(request)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	collector := request.PathValue("collector")
	for _, resource := range export.Metrics().ResourceMetrics().All() {
		attributes := resource.Resource().Attributes()
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				for _, point := range numberPoints(metric) {
					s.add(metric.Name(), collector, attributes, point)
				}
			}
		}
	}
	answer, err := pmetricotlp.NewExportResponse().MarshalProto()
	if err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
		return
	}
	response.Header().Set("Content-Type", "application/x-protobuf")
	response.Write(answer)
}

func readExport(request *http.Request) (pmetricotlp.ExportRequest, error) {
	export := pmetricotlp.NewExportRequest()
	var reader io.Reader = request.Body
	if request.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if reader, err = gzip.NewReader(request.Body); err != nil {
			return export, err
		}
	}
	body, err := io.ReadAll(reader)
	if err != nil {
		return export, err
	}
	return export, export.UnmarshalProto(body)
}

// numberPoints returns a gauge's or a sum's points: the exporters of these
// tests and a collector's own metrics about its scrapes have no other kind.
func numberPoints(metric pmetric.Metric) []pmetric.NumberDataPoint {
	var points pmetric.NumberDataPointSlice
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		points = metric.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		points = metric.Sum().DataPoints()
	default:
		return nil
	}
	var all []pmetric.NumberDataPoint
	for _, point := range points.All() {
		// A point without a value marks a series as gone.
		if !point.Flags().NoRecordedValue() {
			all = append(all, point)
		}
	}
	return all
}

func (s *store) add(name, collector string, resource pcommon.Map, point pmetric.NumberDataPoint) {
	value := point.DoubleValue()
	if point.ValueType() == pmetric.NumberDataPointValueTypeInt {
		value = float64(point.IntValue())
	}
	added := &series{
		Collector:  collector,
		Resource:   resource.AsRaw(),
		Attributes: point.Attributes().AsRaw(),
		Value:      value,
		Time:       point.Timestamp().AsTime(),
	}
	// Maps are printed in the order of their keys.
	key := fmt.Sprint(collector, added.Resource, added.Attributes)

	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.metrics[name] == nil {
		s.metrics[name] = map[string]*series{}
	}
	if known := s.metrics[name][key]; known != nil {
		added.Points = known.Points
	}
	added.Points++
	s.metrics[name][key] = added
}

func (s *store) serve(response http.ResponseWriter, request *http.Request) {
	var after time.Time
	if text := request.FormValue("since"); text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil {
			http.Error(response, "since: "+err.Error(), http.StatusBadRequest)
			return
		}
		after = time.Now().Add(-time.Duration(seconds * float64(time.Second)))
	}

	s.mutex.Lock()
	defer s.mutex.Unlock()
	found := []*series{}
	known := s.metrics[request.FormValue("name")]
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if known[key].Time.After(after) {
			found = append(found, known[key])
		}
	}
	response.Header().Set("Content-Type", "application/json")
	json.NewEncoder(response).Encode(found)
}
