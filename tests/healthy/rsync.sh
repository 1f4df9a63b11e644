mkdir from
for name in a b c; do echo $name >from/$name; done
rsync -a from/ to/
echo $?
cat to/*
