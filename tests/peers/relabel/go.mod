module target-allocator/tests/peers/relabel

go 1.26

require github.com/prometheus/prometheus v0.314.0 // indirect
