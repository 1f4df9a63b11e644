apt-get --version | head -n 1 | cut -d' ' -f 1
apt-cache policy bash | head -n 1
