#!/bin/sh
# Loads one layer of whatever GDAL reads, with command lines alone: ogr2ogr, psql, locaria-report.
# `locaria-report run` calls it for each file; the parameters are $P_path, $P_table, $P_layer, ….
set -eu
here=$(dirname "$(readlink -f "$0")")

fatal() { # says why, and that another attempt would end the same way
  echo "::locaria error kind=${kind:-data} msg=$*"
  exit 65
}
telling() { # of what GDAL has said, the line that says why
  printf '%s\n' "$1" | grep -m1 '^ERROR' || echo "it is in none of the formats $formats"
}
[ -n "${P_path:-}" ] || fatal "attribute path is missing"
[ -n "${P_table:-}" ] || fatal "attribute table is missing"
# To GDAL, a name of a reference system may be a file or a URL.
expr "${P_srs:-EPSG:0}" : 'EPSG:[0-9]\{1,6\}$' >/dev/null ||
  fatal "attribute srs: $P_srs is given, EPSG: and a number is needed"

locaria-report stage fetch
mkdir "$LR_TMP/input"
case $P_path in
  http://* | https://*)
    name=${P_path%%[?#]*}
    name=${name##*/}
    case $name in '' | . | ..) fatal "$P_path names no file" ;; esac
    input=$LR_TMP/input/$name
    locaria-report fetch "$P_path" -o "$input"
    ;;
  *)
    # Resolved: /vsicurl/… and the like are what they look like here, files that are not there.
    path=$(readlink -e -- "$P_path") || fatal "there is no file $P_path"
    "$here/allowed.sh" "$path" || fatal "$P_path is outside of what may be read here"
    # By links to it and to what belongs to it (.dbf, .prj): GDAL puts files of its own beside it.
    name=${path##*/}
    for part in "$path" "${path%/*}/${name%.*}".*; do
      real=$(readlink -e -- "$part") && "$here/allowed.sh" "$real" || continue
      ln -sf -- "$real" "$LR_TMP/input/${part##*/}"
    done
    input=$LR_TMP/input/$name
    ;;
esac
[ "$(head -c 2 -- "$input")" != PK ] || input=/vsizip/$input

locaria-report stage inspect
. "$here/only_files.sh"
layers=$(ogrinfo -ro -q "$input" 2>&1) || fatal "GDAL can't read $P_path: $(telling "$layers")"
layers=$(printf '%s\n' "$layers" | sed -n 's/^[0-9]*: \(.*[^)]\)\( ([^()]*)\)\{0,1\}$/\1/p')
layer=${P_layer:-}
if [ -z "$layer" ]; then
  [ "$(printf '%s\n' "$layers" | grep -c .)" = 1 ] ||
    fatal "attribute layer is needed, one of: $(printf '%s\n' "$layers" | paste -sd, -)"
  layer=$layers
fi
case $layer in -*) fatal "layer $layer: a name that begins with - is not taken" ;; esac
# A layer's key is data, if it is no field beside that and has no name that GDAL gives to its own.
facts=$(ogrinfo -ro -so -nocount -noextent "$input" "$layer" 2>&1) || true
key=$(printf '%s\n' "$facts" | sed -n 's/^FID Column = //p')
case $key in fid | ogc_fid | rowid) key='' ;; esac
case $facts in *"
$key: "*) key='' ;; esac

# ogr2ogr writes SQL that makes a temporary table and COPYs the rows into it; psql reads that as it
# comes, and publishes the rows if they are all there. Through a pipe, as ogr2ogr does not notice
# when a disk is full. It never sees the database, so no message of it can show a password.
locaria-report stage load --weight 9
rows=$LR_TMP/rows.sql
mkfifo "$rows"
# The geometry comes as hexadecimal EWKB; what becomes of it is publish.sql's matter.
geometry='s/^SELECT AddGeometryColumn.*/alter table pg_temp.loaded add column geometry text;/'
sed "1,/^COPY /$geometry" "$rows" |
  psql service=locaria --no-psqlrc --quiet --output=/dev/null -v ON_ERROR_STOP=1 \
    -v run="$LOCARIA_RUN" -v table="$P_table" -v mode="${P_mode:-replace}" -v layer="$layer" \
    -f - -f "$here/publish.sql" &
psql=$!
exec 3>"$rows"
status=0
said=$(locaria-report exec --parse gdal -- ogr2ogr -progress --config PG_USE_COPY YES \
  -f PGDUMP "$rows" "$input" "$layer" ${P_srs:+-t_srs "$P_srs"} -nln loaded \
  -lco SCHEMA=pg_temp -lco CREATE_SCHEMA=OFF -lco DROP_TABLE=OFF -lco LAUNDER=NO \
  -lco FID="${key:-gdal_fid}" ${key:+-preserve_fid} -lco GEOMETRY_NAME=geometry -lco SPATIAL_INDEX=NONE 2>&1) || status=$?
[ -z "$said" ] || printf '%s\n' "$said" >&2
# Of a damaged file it loads what it can read, says so, and exits with 0.
case $said in
  *"ERROR "[0-9]*)
    kill "$psql" 2>/dev/null || true
    fatal "GDAL can't load $P_path: $(telling "$said")"
    ;;
esac
# In a subshell: if psql has ended, it is psql that says why.
[ "$status" != 0 ] || (echo 'create temporary table whole ();' >&3) || status=$?
exec 3>&-
wait "$psql"
exit "$status"
