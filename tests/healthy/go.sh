export GOCACHE="$PWD/cache" GO111MODULE=off
go build -o main main.go && ./main
