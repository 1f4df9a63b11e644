MANPAGER=cat man ls | head -n 1 | cut -c 1-2
MANPAGER=cat man ls | tail -n 1 | wc -l
man --nonesuch >/dev/null 2>&1
echo $?
